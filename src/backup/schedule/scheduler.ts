import { abortable } from '../../base/abortable.ts';
import type { Clock } from '../../base/clock.ts';
import { CloudvolError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Schedule, ScheduleId, ScheduleRun } from './schedule.ts';
import { latestDue, nextDue, type ScheduleKind } from './schedule-rule.ts';
import type { ScheduleTable } from './schedule-table.ts';

/** A clock that was set is noticed after this long at most. */
export const MAX_SLEEP_MS = 30_000;
/**
 * A clock that was set back further than this has told a wrong time before: what is due is counted
 * from the present one on. Within it, what ran is not run a second time.
 */
export const SET_BACK_MS = 3_600_000;
/** Due later than this is made up for: the agent was not there, or too busy. */
const LATE_MS = 120_000;

/** Of several kinds that are due at once, the rarest names the cloudsnap: it is kept longest. */
const RAREST_FIRST: readonly ScheduleKind[] = ['Monthly', 'Weekly', 'Daily', 'Periodic'];

export interface SchedulerOptions {
  readonly table: ScheduleTable;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Starts the backup and returns the id of its task; it may have to wait there for others.
   * @throws when none can be started.
   */
  readonly start: (schedule: Schedule, kind: ScheduleKind) => Promise<string>;
}

interface Due {
  readonly kind: ScheduleKind;
  readonly dueMs: number;
}

/**
 * Starts the backups that are due. What fell due while no agent ran is made up for once, however
 * often it was missed; what falls due while an earlier run is at work waits in the volume's queue.
 * Ends with close(); until then it needs no looking after: nothing that goes wrong stops it.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #closing = new AbortController();
  #wake = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** Backups that are being started: a store that does not answer holds up its own only. */
  readonly #starting = new Set<Promise<void>>();

  private constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  static start(options: SchedulerOptions): Scheduler {
    const scheduler = new Scheduler(options);
    scheduler.#running = scheduler.#run();
    return scheduler;
  }

  /** To be told after each change of the table. */
  changed(): void {
    this.#wake.abort();
  }

  /** Starts nothing more, and waits for no start that is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new CloudvolError('agent/stopping', 'the agent was shut down'));
    this.#wake.abort();
    await this.#running;
    await Promise.all(this.#starting);
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#closing.signal.aborted) {
      this.#wake = new AbortController();
      let sleepMs = MAX_SLEEP_MS;
      try {
        sleepMs = this.#turn();
      } catch (error) {
        // A database that cannot be read or written now may be so at the next turn.
        log.error('schedule.turn-failed', { error });
      }
      // Rejects only when it is woken.
      await clock.sleep(sleepMs, this.#wake.signal).catch(() => {});
    }
  }

  /** Starts what is due. @returns how long nothing will be, at most MAX_SLEEP_MS. */
  #turn(): number {
    const { table, clock } = this.#options;
    for (const schedule of table.list()) {
      if (this.#closing.signal.aborted) return 0;
      this.#see(schedule, clock.nowMs());
    }
    const nowMs = clock.nowMs();
    const waits = table.list().map((schedule) => nextRunMs(schedule) - nowMs);
    return Math.max(0, Math.min(MAX_SLEEP_MS, ...waits));
  }

  #see(schedule: Schedule, nowMs: number): void {
    const { table, log } = this.#options;
    if (schedule.handledMs > nowMs + SET_BACK_MS) {
      log.warn('schedule.clock-set-back', { scheduleId: schedule.id, nowMs });
      table.setHandled(schedule.id, nowMs);
      return;
    }
    const due = dueOf(schedule, nowMs);
    if (!due) return;
    table.setHandled(schedule.id, nowMs);
    const starting = this.#start(schedule, due, nowMs).finally(() => {
      this.#starting.delete(starting);
    });
    this.#starting.add(starting);
  }

  /** Never rejects: the next time may be better; that this one was missed is on record. */
  async #start(schedule: Schedule, { kind, dueMs }: Due, nowMs: number): Promise<void> {
    const { table, log, start } = this.#options;
    const { id, volumeId } = schedule;
    const names = { scheduleId: id, volumeId, kind, due: new Date(dueMs).toISOString() };
    if (nowMs - dueMs > LATE_MS) log.warn('schedule.made-up-for', names);
    const run = { kind, dueMs, startedMs: nowMs };
    try {
      const taskId = await abortable(start(schedule, kind), this.#closing.signal);
      table.setLastRun(id, { ...run, taskId, failure: null });
      log.info('schedule.started', { ...names, taskId });
    } catch (error) {
      log.error('schedule.missed', { ...names, error });
      this.#recordFailure(id, { ...run, taskId: null, failure: messageOf(error) });
    }
  }

  #recordFailure(id: ScheduleId, run: ScheduleRun): void {
    try {
      this.#options.table.setLastRun(id, run);
    } catch (error) {
      // The log has said it already.
      this.#options.log.error('schedule.not-recorded', { scheduleId: id, error });
    }
  }
}

/** When the schedule is to run next. */
export function nextRunMs({ rules, handledMs, createdMs }: Schedule): number {
  return Math.min(...rules.map((rule) => nextDue(rule, handledMs, createdMs)));
}

/** What fell due since it was last seen to: the latest of it, if anything. */
function dueOf({ rules, createdMs, handledMs }: Schedule, nowMs: number): Due | undefined {
  const dues = rules.flatMap((rule): Due[] => {
    const dueMs = latestDue(rule, nowMs, createdMs);
    return dueMs > handledMs ? [{ kind: rule.kind, dueMs }] : [];
  });
  const rank = ({ kind }: Due) => RAREST_FIRST.indexOf(kind);
  return dues.toSorted((a, b) => rank(a) - rank(b))[0];
}
