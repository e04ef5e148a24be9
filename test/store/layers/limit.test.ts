import test from 'ava';
import { LimitStore } from '../../../src/store/layers/limit.ts';
import { FaultStore } from '../../../src/store/layers/faults.ts';
import { MetricsStore } from '../../../src/store/layers/metrics.ts';
import { MemoryStore } from '../../../src/store/memory.ts';
import { bytesOf } from '../../conformance/object-store/contract.ts';
import { ManualClock } from '../../base/manual-clock.ts';

test('no more requests are under way than allowed, of all verbs together', async (t) => {
  const clock = new ManualClock();
  const slow = new FaultStore(new MemoryStore(), {
    clock,
    plan: () => ({ kind: 'none', latencyMs: 10 }),
  });
  const metrics = new MetricsStore(slow);
  const store = new LimitStore(metrics, { maxRequests: 3, clock });
  const all = [
    ...['a', 'b', 'c'].map((key) => store.put(key, bytesOf(key))),
    ...['a', 'b', 'c'].map((key) => store.head(key)),
    store.delete(['x']),
  ];
  await clock.untilSleeping(3);
  t.is(metrics.snapshot().inFlight, 3);
  await clock.advance(10);
  t.is(metrics.snapshot().inFlight, 3);
  await clock.advance(20);
  await Promise.all(all);
  t.is(metrics.snapshot().inFlight, 0);
});

test('an aborted request leaves the queue and was never sent', async (t) => {
  const clock = new ManualClock();
  const slow = new FaultStore(new MemoryStore(), {
    clock,
    plan: () => ({ kind: 'none', latencyMs: 10 }),
  });
  const store = new LimitStore(slow, { maxRequests: 1, clock });
  const first = store.head('a');
  const controller = new AbortController();
  const second = store.head('b', { signal: controller.signal });
  controller.abort(new Error('stopped'));
  await t.throwsAsync(second, { message: 'stopped' });
  await clock.untilSleeping();
  await clock.advance(10);
  await first;
  t.is(slow.count, 1);
});

for (const direction of ['up', 'down'] as const) {
  test(`bodies going ${direction} keep to their rate`, async (t) => {
    const clock = new ManualClock();
    const memory = new MemoryStore({ clock });
    await memory.put('a', new Uint8Array(1000));
    const store = new LimitStore(memory, {
      maxRequests: 8,
      bytesPerSecond: { [direction]: 1000 },
      clock,
    });
    const startMs = clock.nowMs();
    const finishedMs: number[] = [];
    const moves = Array.from({ length: 4 }, async (_, index) => {
      if (direction === 'up') await store.put(`b${index}`, new Uint8Array(1000));
      else await store.get('a', index % 2 ? {} : { range: { offset: 0, length: 1000 } });
      finishedMs.push(clock.nowMs() - startMs);
    });
    await clock.untilSleeping();
    await clock.advance(3000);
    await Promise.all(moves);
    t.deepEqual(finishedMs, [0, 1000, 2000, 3000]);
    await store.close();
    t.is(clock.sleeping, 0, 'closing ends the pause');
  });
}
