import test from 'ava';
import { withDeadline, withStepDeadline } from '../../src/base/deadline.ts';
import { ManualClock } from './manual-clock.ts';

const timedOut = () => new Error('too late');

test('work that never answers is cut when its time is up', async (t) => {
  const clock = new ManualClock();
  let workSignal: AbortSignal | undefined;
  const run = withDeadline(
    (signal) => {
      workSignal = signal;
      return new Promise<never>(() => {});
    },
    { limitMs: 50, clock, timedOut },
  );
  await clock.advance(49);
  t.false(workSignal?.aborted);
  const ended = t.throwsAsync(run, { message: 'too late' });
  await clock.advance(1);
  await ended;
  t.true(workSignal?.aborted);
});

test('work in time is returned, and its timer is gone', async (t) => {
  const clock = new ManualClock();
  t.is(await withDeadline(async () => 'done', { limitMs: 50, clock, timedOut }), 'done');
  t.is(clock.sleeping, 0);
});

test('the caller’s own signal cuts the work with its own reason', async (t) => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const run = withDeadline(() => new Promise<never>(() => {}), {
    limitMs: 50,
    clock,
    timedOut,
    signal: controller.signal,
  });
  controller.abort(new Error('enough'));
  await t.throwsAsync(run, { message: 'enough' });
  t.is(clock.sleeping, 0);
});

async function* stepsThatHangAt(
  hanging: number,
  seen: { signal?: AbortSignal },
  signal: AbortSignal,
) {
  seen.signal = signal;
  for (let step = 1; step < hanging; step++) yield step;
  await new Promise<never>(() => {});
}

test('an iteration is cut at the step that hangs, and told so by its signal', async (t) => {
  const clock = new ManualClock();
  const seen: { signal?: AbortSignal } = {};
  const got: number[] = [];
  const options = { limitMs: 50, clock, timedOut };
  const read = async () => {
    for await (const step of withStepDeadline(
      (signal) => stepsThatHangAt(4, seen, signal),
      options,
    )) {
      got.push(step);
    }
  };
  const ended = t.throwsAsync(read(), { message: 'too late' });
  await clock.untilSleeping();
  await clock.advance(100);
  await ended;
  t.deepEqual(got, [1, 2, 3]);
  t.true(seen.signal?.aborted);
  t.is(clock.sleeping, 0);
});

test('a reader may take its time between steps', async (t) => {
  const clock = new ManualClock();
  const got: number[] = [];
  const open = async function* () {
    yield* [1, 2, 3];
  };
  for await (const step of withStepDeadline(open, { limitMs: 50, clock, timedOut })) {
    got.push(step);
    await clock.advance(49 * step);
  }
  t.deepEqual(got, [1, 2, 3]);
  t.is(clock.sleeping, 0);
});

test('a reader that leaves ends the iteration behind it', async (t) => {
  const clock = new ManualClock();
  const seen: { signal?: AbortSignal } = {};
  const open = (signal: AbortSignal) => stepsThatHangAt(9, seen, signal);
  for await (const _ of withStepDeadline(open, { limitMs: 50, clock, timedOut })) break;
  t.true(seen.signal?.aborted);
  t.is(clock.sleeping, 0);
});
