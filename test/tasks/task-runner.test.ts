import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';

import { systemClock } from '../../src/base/clock.ts';
import { CloudvolError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { Sqlite } from '../../src/base/sqlite.ts';
import type { TaskContext } from '../../src/tasks/task-api.ts';
import { TaskRunner } from '../../src/tasks/task-runner.ts';
import type { TaskSpec } from '../../src/tasks/task-spec.ts';
import { MAX_HISTORY, TASK_TABLE_SQL, TaskTable } from '../../src/tasks/task-table.ts';

const root = mkdtempSync(join(tmpdir(), 'cloudvol-tasks-'));
test.after.always(() => rmSync(root, { recursive: true, force: true }));

let databases = 0;
function openTable(path = join(root, `${++databases}.db`)): {
  table: TaskTable;
  close: () => void;
  path: string;
} {
  const database = Sqlite.open(path, [TASK_TABLE_SQL]);
  return { table: new TaskTable(database), close: () => database.close(), path };
}

function openRunner(table = openTable().table): TaskRunner {
  return TaskRunner.open({ table, clock: systemClock, log: silentLog }).runner;
}

function backupOf(volume: string): TaskSpec {
  return { kind: 'Backup', volumeId: volume, volumeName: `name-${volume}`, lane: volume };
}

/** Work that ends when told to, or with the reason of its stop. */
function heldWork() {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<TaskContext>();
  const work = async (task: TaskContext) => {
    started.resolve(task);
    const stopped = new Promise<never>((_, reject) => {
      task.signal.addEventListener('abort', () => reject(task.signal.reason as Error));
    });
    await Promise.race([gate.promise, stopped]);
  };
  return { work, started: started.promise, finish: gate.resolve, fail: gate.reject };
}

test('a task goes from Active to Done, and its end is recorded', async (t) => {
  const runner = openRunner();
  const held = heldWork();
  const { id, state } = runner.submit(backupOf('1'), held.work);
  t.is(state, 'Active');
  const task = await held.started;
  task.progress({ bytesTotal: 10, bytesDone: 4, cloudsnapId: 'c/1-1' });
  t.like(runner.find(id), { bytesTotal: 10, bytesDone: 4, cloudsnapId: 'c/1-1', endedMs: null });
  task.note('because it is the first');
  task.result({ uploadedBytes: 7 });
  held.finish();
  const ended = await runner.ended(id);
  t.like(ended, { state: 'Done', info: ['because it is the first'], result: { uploadedBytes: 7 } });
  t.deepEqual(runner.find(id), ended);
  t.deepEqual(runner.running(), []);
});

test('a failure is recorded with its sentence, its hint and its code', async (t) => {
  const runner = openRunner();
  const { id } = runner.submit(backupOf('1'), () =>
    Promise.reject(new CloudvolError('store/full', 'the store is full', { hint: 'free space' })),
  );
  t.like(await runner.ended(id), {
    state: 'Failed',
    info: ['the store is full', 'free space'],
    result: { errorCode: 'store/full' },
  });
});

test('one backup of a volume at a time, in order; other volumes beside it', async (t) => {
  const runner = openRunner();
  const order: string[] = [];
  const [first, second, third, other] = [heldWork(), heldWork(), heldWork(), heldWork()];
  const submit = (volume: string, name: string, { work }: ReturnType<typeof heldWork>) =>
    runner.submit(backupOf(volume), async (task) => {
      order.push(name);
      await work(task);
    });
  const a = submit('1', 'a', first);
  const b = submit('1', 'b', second);
  const c = submit('1', 'c', third);
  const d = submit('2', 'd', other);
  t.deepEqual([a.state, b.state, c.state, d.state], ['Active', 'Queued', 'Queued', 'Active']);
  await other.started;
  first.finish();
  await second.started;
  t.is(runner.find(c.id).state, 'Queued');
  second.finish();
  await third.started;
  t.deepEqual(order, ['a', 'd', 'b', 'c']);
  third.finish();
  other.finish();
  await Promise.all([runner.ended(c.id), runner.ended(d.id)]);
});

test('five may wait for a volume, a sixth is refused and leaves no record', async (t) => {
  const runner = openRunner();
  const held = heldWork();
  runner.submit(backupOf('1'), held.work);
  for (let n = 0; n < 5; n++) t.is(runner.submit(backupOf('1'), held.work).state, 'Queued');
  t.throws(() => runner.submit(backupOf('1'), held.work), { code: 'task/queue-full' });
  t.is(runner.submit(backupOf('2'), held.work).state, 'Active');
  t.is(runner.list().length, 7);
  await runner.close(1000);
});

test('stop ends an active and a queued task, and what waits behind goes on', async (t) => {
  const runner = openRunner();
  const [first, second, third] = [heldWork(), heldWork(), heldWork()];
  const a = runner.submit(backupOf('1'), first.work);
  const b = runner.submit(backupOf('1'), second.work);
  runner.submit(backupOf('1'), third.work);
  await first.started;
  runner.stop(b.id);
  t.is((await runner.ended(b.id)).state, 'Stopped');
  runner.stop(a.id);
  t.like(await runner.ended(a.id), { state: 'Stopped', info: ['stopped on request'] });
  await third.started;
  t.throws(() => runner.stop(a.id), { code: 'task/ended' });
  t.throws(() => runner.stop('nobody'), { code: 'task/not-found' });
  await runner.close(1000);
});

test('a stop that comes too late does not unmake what was done', async (t) => {
  const runner = openRunner();
  const finish = Promise.withResolvers<void>();
  const { id } = runner.submit(backupOf('1'), () => finish.promise);
  runner.stop(id);
  finish.resolve();
  t.is((await runner.ended(id)).state, 'Done');
});

test('close aborts what runs and what waits, and takes nothing more', async (t) => {
  const runner = openRunner();
  const held = heldWork();
  const a = runner.submit(backupOf('1'), held.work);
  const b = runner.submit(backupOf('1'), held.work);
  await held.started;
  await runner.close(1000);
  t.is(runner.find(a.id).state, 'Aborted');
  t.is(runner.find(b.id).state, 'Aborted');
  t.throws(() => runner.submit(backupOf('1'), held.work), { code: 'agent/stopping' });
});

test('close does not wait for ever for work that does not heed its signal', async (t) => {
  const runner = openRunner();
  const never = Promise.withResolvers<void>();
  const { id } = runner.submit(backupOf('1'), () => never.promise);
  await runner.close(20);
  t.is(runner.find(id).state, 'Active');
});

test('history survives a restart; what was unfinished then has failed', async (t) => {
  const before = openTable();
  const runner = openRunner(before.table);
  const done = runner.submit(backupOf('1'), () => Promise.resolve());
  await runner.ended(done.id);
  const held = heldWork();
  const active = runner.submit({ ...backupOf('2'), result: { mode: 'eager' } }, held.work);
  const queued = runner.submit(backupOf('2'), held.work);
  before.close();

  const after = openTable(before.path);
  const opened = TaskRunner.open({ table: after.table, clock: systemClock, log: silentLog });
  t.deepEqual(
    opened.interrupted.map(({ id }) => id),
    [active.id, queued.id],
  );
  t.is(opened.interrupted[0]?.result['mode'], 'eager');
  const found = opened.runner.list().map(({ id, state }) => [id, state]);
  t.deepEqual(found, [
    [done.id, 'Done'],
    [active.id, 'Failed'],
    [queued.id, 'Failed'],
  ]);
  t.deepEqual(opened.runner.find(active.id).info, [
    'the agent was stopped before the task ended',
    'the next backup of the volume goes on with what had been uploaded',
  ]);
  after.close();
});

test('work goes on when its record cannot be written', async (t) => {
  const { table, close } = openTable();
  const runner = openRunner(table);
  const held = heldWork();
  const { id } = runner.submit(backupOf('1'), held.work);
  const task = await held.started;
  close();
  task.note('the disk is full');
  const ended = runner.ended(id);
  held.finish();
  t.is((await ended).state, 'Done');
});

test('lists are filtered by volume name or id and by the time of the end', async (t) => {
  const runner = openRunner();
  const old = runner.submit(backupOf('1'), () => Promise.resolve());
  const { endedMs } = await runner.ended(old.id);
  const held = heldWork();
  const active = runner.submit(backupOf('2'), held.work);
  const ids = (filter: Parameters<TaskRunner['list']>[0]) =>
    runner.list(filter).map(({ id }) => id);
  t.deepEqual(ids({ volume: '1' }), [old.id]);
  t.deepEqual(ids({ volume: 'name-2' }), [active.id]);
  t.deepEqual(ids({ endedSinceMs: (endedMs ?? 0) + 1 }), [active.id]);
  t.deepEqual(ids({}), [old.id, active.id]);
  await runner.close(1000);
});

test('history keeps the newest tasks only, and never forgets one that runs', (t) => {
  const path = join(root, 'long.db');
  const database = Sqlite.open(path, [TASK_TABLE_SQL]);
  const table = new TaskTable(database);
  const record = (id: string, endedMs: number | null) =>
    `('${id}', 'Backup', 'Done', '1', 'v', '', '', 0, 0, 0, 0, ${endedMs}, '[]', '{}')`;
  const columns = `(id, kind, state, volume_id, volume_name, cloudsnap_id, credential_id,
    bytes_total, bytes_done, created_ms, started_ms, ended_ms, info, result)`;
  const rows = [record('running', null)];
  for (let n = 0; n < MAX_HISTORY + 3; n++) rows.push(record(`t${n}`, n + 1));
  database.exec(`INSERT INTO task ${columns} VALUES ${rows.join(',')}`);
  table.prune();
  const ids: string[] = table.list().map(({ id }) => id);
  t.is(ids.length, MAX_HISTORY + 1);
  t.deepEqual(ids.slice(0, 2), ['running', 't3']);
  database.close();
});
