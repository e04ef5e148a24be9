import test from 'ava';
import { Pacer } from '../../src/base/pacer.ts';
import { ManualClock } from './manual-clock.ts';

test('each take holds the next one back for as long as it lasts', async (t) => {
  const clock = new ManualClock(0);
  const pacer = new Pacer(100, clock);
  const passedMs: number[] = [];
  const takes = [50, 200, 10].map((amount) =>
    pacer.take(amount).then(() => passedMs.push(clock.nowMs())),
  );
  await clock.untilSleeping();
  await clock.advance(2500);
  await Promise.all(takes);
  t.deepEqual(passedMs, [0, 500, 2500]);
});

test('a pause is not saved up: after it one take passes at once, the next waits', async (t) => {
  const clock = new ManualClock(0);
  const pacer = new Pacer(100, clock);
  await clock.advance(60_000);
  await pacer.take(100);
  const next = pacer.take(100).then(() => clock.nowMs());
  await clock.advance(1000);
  t.is(await next, 61_000);
});

test('who gives up takes nothing', async (t) => {
  const clock = new ManualClock(0);
  const pacer = new Pacer(100, clock);
  const controller = new AbortController();
  await pacer.take(100);
  const gaveUp = pacer.take(1_000_000, controller.signal);
  const next = pacer.take(1).then(() => clock.nowMs());
  controller.abort(new Error('enough'));
  await t.throwsAsync(gaveUp, { message: 'enough' });
  await clock.advance(1000);
  t.is(await next, 1000);
});

test('closing lets everybody through and leaves no timer', async (t) => {
  const clock = new ManualClock(0);
  const pacer = new Pacer(1, clock);
  await pacer.take(1_000_000);
  const waiting = [pacer.take(1_000_000), pacer.take(1_000_000)];
  pacer.close();
  await Promise.all(waiting);
  t.is(clock.sleeping, 0);
});
