import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { withStallLimit } from '../../src/tasks/with-stall-limit.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { RecordingTask } from '../model/recording-task.ts';

const LIMIT_MS = 600_000;
const TENTH_MS = LIMIT_MS / 10;

/** Never ends by itself. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

async function pass(clock: ManualClock, tenths: number): Promise<void> {
  for (let i = 0; i < tenths; i++) {
    await clock.advance(TENTH_MS);
    await new Promise(setImmediate);
  }
}

test('a task in which nothing moves for the limit is ended, with the cause', async (t) => {
  const clock = new ManualClock();
  const work = withStallLimit(new RecordingTask(), { limitMs: LIMIT_MS, clock }, (task) =>
    untilAborted(task.signal),
  );
  const ended = t.throwsAsync(work, { code: 'task/stalled' });
  await pass(clock, 10);
  t.regex(String(await ended), /nothing moved for 600 seconds/);
});

test('each sign of life gives it the whole limit again', async (t) => {
  const clock = new ManualClock();
  let alive = () => {};
  let isOver = false;
  const work = withStallLimit(new RecordingTask(), { limitMs: LIMIT_MS, clock }, (task) => {
    alive = () => task.progress({});
    return untilAborted(task.signal);
  });
  const ended = t.throwsAsync(work, { code: 'task/stalled' }).finally(() => (isOver = true));
  for (let round = 0; round < 5; round++) {
    await pass(clock, 9);
    alive();
  }
  t.false(isOver);
  await pass(clock, 11);
  await ended;
});

test('a stop is a stop, and an end is an end: nothing is left waiting', async (t) => {
  const clock = new ManualClock();
  const task = new RecordingTask();
  const limit = { limitMs: LIMIT_MS, clock };
  const work = withStallLimit(task, limit, ({ signal }) => untilAborted(signal));
  task.stop(new CloudvolError('task/stopped', 'stopped'));
  await t.throwsAsync(work, { code: 'task/stopped' });
  t.is(await withStallLimit(new RecordingTask(), limit, async () => 7), 7);
  await new Promise(setImmediate);
  t.is(clock.sleeping, 0);
});

test('without a limit nothing is watched', async (t) => {
  const clock = new ManualClock();
  t.is(await withStallLimit(new RecordingTask(), { limitMs: 0, clock }, async () => 1), 1);
});
