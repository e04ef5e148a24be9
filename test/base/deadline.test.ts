import test from 'ava';
import { withDeadline } from '../../src/base/deadline.ts';
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
