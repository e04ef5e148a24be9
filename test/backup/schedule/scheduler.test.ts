import test, { type ExecutionContext } from 'ava';
import type { Schedule, SchedulePlan } from '../../../src/backup/schedule/schedule.ts';
import {
  parseScheduleRule,
  type ScheduleKind,
} from '../../../src/backup/schedule/schedule-rule.ts';
import {
  SCHEDULE_RETENTION_SQL,
  SCHEDULE_TABLE_SQL,
  ScheduleTable,
} from '../../../src/backup/schedule/schedule-table.ts';
import { Scheduler } from '../../../src/backup/schedule/scheduler.ts';
import { silentLog } from '../../../src/base/log.ts';
import { Sqlite } from '../../../src/base/sqlite.ts';
import { ManualClock } from '../../base/manual-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Thursday. */
const START = Date.UTC(2026, 0, 1, 0, 30);

/** A clock that can also be set. */
class WallClock extends ManualClock {
  setByMs = 0;
  override nowMs(): number {
    return super.nowMs() + this.setByMs;
  }
}

class Lab {
  readonly clock = new WallClock(START);
  readonly table: ScheduleTable;
  readonly runs: { kind: ScheduleKind; at: string }[] = [];
  failure: Error | undefined;
  #scheduler: Scheduler | undefined;

  constructor(t: ExecutionContext) {
    const database = Sqlite.open(':memory:', [SCHEDULE_TABLE_SQL, SCHEDULE_RETENTION_SQL]);
    this.table = new ScheduleTable(database);
    t.teardown(async () => {
      await this.stop();
      database.close();
    });
  }

  add(...rules: [ScheduleKind, string][]): Schedule {
    return this.table.insert('7', planOf(...rules), this.clock.nowMs());
  }

  start(): Scheduler {
    const start = async (_schedule: Schedule, kind: ScheduleKind) => {
      if (this.failure) throw this.failure;
      this.runs.push({ kind, at: new Date(this.clock.nowMs()).toISOString().slice(5, 16) });
      return `task-${this.runs.length}`;
    };
    const { table, clock } = this;
    this.#scheduler = Scheduler.start({ table, clock, log: silentLog, start });
    return this.#scheduler;
  }

  async stop(): Promise<void> {
    await this.#scheduler?.close();
  }
}

function planOf(...rules: [ScheduleKind, string][]): SchedulePlan {
  return {
    credentialId: 'c',
    rules: rules.map(([kind, text]) => parseScheduleRule(kind, text)),
    maxCloudsnaps: 7,
    full: false,
    retention: {},
  };
}

test('a backup starts at each time that its schedule names, and at no other', async (t) => {
  const lab = new Lab(t);
  lab.add(['Daily', '02:00']);
  lab.start();
  await lab.clock.advance(3 * DAY);
  t.deepEqual(lab.runs, [
    { kind: 'Daily', at: '01-01T02:00' },
    { kind: 'Daily', at: '01-02T02:00' },
    { kind: 'Daily', at: '01-03T02:00' },
  ]);
});

test('times that coincide are one backup, named by the rarest of them', async (t) => {
  const lab = new Lab(t);
  lab.add(['Daily', '02:00'], ['Weekly', 'sunday@02:00'], ['Monthly', '4@02:00']);
  lab.start();
  await lab.clock.advance(4 * DAY);
  t.deepEqual(
    lab.runs.map(({ kind }) => kind),
    ['Daily', 'Daily', 'Daily', 'Monthly'],
  );
});

test('what fell due while no agent ran is made up for once', async (t) => {
  const lab = new Lab(t);
  const { id } = lab.add(['Periodic', '60']);
  lab.start();
  await lab.clock.advance(2 * HOUR);
  await lab.stop();
  await lab.clock.advance(10 * HOUR + 5 * MINUTE);
  t.is(lab.runs.length, 2);
  lab.start();
  await lab.clock.advance(MINUTE);
  t.deepEqual(lab.runs.at(-1), { kind: 'Periodic', at: '01-01T12:35' });
  t.is(lab.runs.length, 3);
  t.is(lab.table.find(id).lastRun?.dueMs, START + 12 * HOUR);
  await lab.clock.advance(HOUR);
  t.deepEqual(lab.runs.at(-1), { kind: 'Periodic', at: '01-01T13:30' });
});

test('a backup that cannot be started is on record, and waits for its next time', async (t) => {
  const lab = new Lab(t);
  const { id } = lab.add(['Daily', '02:00']);
  lab.failure = new Error('the queue is full');
  lab.start();
  await lab.clock.advance(2 * HOUR);
  await lab.stop();
  lab.failure = undefined;
  lab.start();
  await lab.clock.advance(HOUR);
  t.deepEqual(lab.runs, []);
  t.like(lab.table.find(id).lastRun, { taskId: null, failure: 'the queue is full', kind: 'Daily' });
  await lab.clock.advance(DAY);
  t.is(lab.runs.length, 1);
});

test('a clock set forward runs what it passed once; set back, all goes on as before', async (t) => {
  const lab = new Lab(t);
  lab.add(['Daily', '02:00']);
  lab.start();
  await lab.clock.advance(MINUTE);
  lab.clock.setByMs = 100 * DAY;
  await lab.clock.advance(2 * HOUR);
  t.is(lab.runs.length, 2, 'the one that was passed, and that of the new day');
  lab.clock.setByMs = 0;
  await lab.clock.advance(DAY);
  t.deepEqual(lab.runs.slice(2), [{ kind: 'Daily', at: '01-02T02:00' }]);
});

test('a clock that is set back a little runs nothing a second time', async (t) => {
  const lab = new Lab(t);
  lab.add(['Daily', '02:00']);
  lab.start();
  await lab.clock.advance(HOUR + 31 * MINUTE);
  t.is(lab.runs.length, 1);
  lab.clock.setByMs = -5 * MINUTE;
  await lab.clock.advance(HOUR);
  t.is(lab.runs.length, 1);
});

test('a new or changed schedule is heeded at once, and makes up for nothing', async (t) => {
  const lab = new Lab(t);
  const scheduler = lab.start();
  await lab.clock.advance(10 * HOUR);
  const { id } = lab.add(['Daily', '10:31']);
  scheduler.changed();
  await lab.clock.advance(MINUTE);
  t.is(lab.runs.length, 1);
  await lab.clock.advance(2 * HOUR);
  lab.table.update(id, planOf(['Daily', '11:00']), lab.clock.nowMs());
  scheduler.changed();
  await lab.clock.advance(HOUR);
  t.is(lab.runs.length, 1);
  lab.table.delete(id);
  scheduler.changed();
  await lab.clock.advance(3 * DAY);
  t.is(lab.runs.length, 1);
});

test('a table that fails for a while does not end the scheduler', async (t) => {
  const lab = new Lab(t);
  lab.add(['Periodic', '60']);
  const list = lab.table.list.bind(lab.table);
  lab.table.list = () => {
    throw new Error('disk full');
  };
  lab.start();
  await lab.clock.advance(2 * HOUR);
  t.is(lab.runs.length, 0);
  lab.table.list = list;
  await lab.clock.advance(HOUR);
  t.is(lab.runs.length, 2);
});

test('a start that hangs holds up no other schedule, and no end', async (t) => {
  const lab = new Lab(t);
  const stuck = lab.add(['Daily', '01:00']);
  lab.add(['Daily', '02:00']);
  const { table, clock } = lab;
  const started: string[] = [];
  const scheduler = Scheduler.start({
    table,
    clock,
    log: silentLog,
    start: async ({ id }) => {
      if (id === stuck.id) await new Promise(() => {});
      started.push(id);
      return 'task';
    },
  });
  await clock.advance(2 * HOUR);
  t.is(started.length, 1);
  await scheduler.close();
  t.is(table.find(stuck.id).lastRun?.failure, 'the agent was shut down');
});
