import test from 'ava';
import { retry } from '../../src/base/retry.ts';
import { ManualClock } from './manual-clock.ts';

const policy = { maxAttempts: 5, baseDelayMs: 100, maxDelayMs: 300 };
const failing = (times: number) => {
  let calls = 0;
  return async (attempt: number) => {
    calls++;
    if (calls <= times) throw new Error(`failure ${attempt}`);
    return `attempt ${attempt}`;
  };
};

test('waits double up to their bound, and the bound is jittered from zero', async (t) => {
  const clock = new ManualClock();
  const delays: number[] = [];
  const draws = [1, 0.5, 1, 0];
  const run = retry(failing(4), {
    policy,
    clock,
    isRetriable: () => true,
    random: () => draws.shift() ?? 0,
    onRetry: ({ delayMs }) => delays.push(delayMs),
  });
  const startMs = clock.nowMs();
  await clock.untilSleeping();
  await clock.advance(500);
  t.is(await run, 'attempt 5');
  t.deepEqual(delays, [100, 100, 300, 0]);
  t.is(clock.nowMs() - startMs, 500);
});

test('the last error is thrown when the attempts are used up', async (t) => {
  const clock = new ManualClock();
  const run = retry(failing(9), { policy, clock, isRetriable: () => true, random: () => 1 });
  const ended = t.throwsAsync(run, { message: 'failure 5' });
  await clock.untilSleeping();
  await clock.advance(1000);
  await ended;
});

test('an error that trying again cannot mend is thrown at once', async (t) => {
  const clock = new ManualClock();
  const run = retry(failing(1), { policy, clock, isRetriable: () => false });
  await t.throwsAsync(run, { message: 'failure 1' });
  t.is(clock.sleeping, 0);
});

test('an abort ends the wait with the signal’s reason', async (t) => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const options = { policy, clock, isRetriable: () => true, signal: controller.signal };
  const run = retry(failing(9), options);
  await clock.untilSleeping();
  controller.abort(new Error('enough'));
  await t.throwsAsync(run, { message: 'enough' });
  t.is(clock.sleeping, 0);
});
