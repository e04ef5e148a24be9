import test from 'ava';
import { systemClock } from '../../../src/base/clock.ts';
import { FaultStore } from '../../../src/store/layers/faults.ts';
import { seededFaults } from '../../../src/store/layers/seeded-faults.ts';
import { MemoryStore } from '../../../src/store/memory.ts';
import { bytesOf, keysOf, textOf } from '../../conformance/object-store/contract.ts';
import { scriptedStore } from './scripted-store.ts';

const rates = { error: 0.2, 'lost-answer': 0.1, truncate: 0.1, garble: 0.1 };
const requests = Array.from({ length: 200 }, (_, index) => ({
  verb: index % 3 === 0 ? ('put' as const) : ('get' as const),
  key: `k${index % 20}`,
  count: index + 1,
}));

test('one seed strikes the same requests in every run; another seed others', (t) => {
  const run = (seed: number) => requests.map(seededFaults({ seed, rates, maxLatencyMs: 5 }));
  t.deepEqual(run(1), run(1));
  t.notDeepEqual(run(1), run(2));
});

test('what strikes a request does not depend on what else is under way', (t) => {
  const fates = (order: typeof requests) => {
    const plan = seededFaults({ seed: 5, rates });
    return order.map((request) => `${request.verb} ${request.key} ${plan(request).kind}`);
  };
  // Grouped by key: the order within one verb and key stays, everything else changes.
  const grouped = requests.toSorted((left, right) => left.key.localeCompare(right.key));
  t.deepEqual(fates(grouped).sort(), fates(requests).sort());
  t.notDeepEqual(fates(grouped), fates(requests));
});

test('faults strike as often as asked', (t) => {
  const plan = seededFaults({ seed: 9, rates });
  const kinds = Array.from(
    { length: 5000 },
    (_, count) => plan({ verb: 'get', key: 'a', count }).kind,
  );
  const share = (kind: string) => kinds.filter((found) => found === kind).length / kinds.length;
  t.true(Math.abs(share('error') - 0.2) < 0.03);
  t.true(Math.abs(share('garble') - 0.1) < 0.03);
  t.true(Math.abs(share('none') - 0.5) < 0.03);
});

test('an error does nothing, a lost answer does all', async (t) => {
  const { memory, faulty } = scriptedStore(['error', 'lost-answer', 'lost-answer', 'error']);
  await t.throwsAsync(faulty.put('a', bytesOf('x')), { code: 'store/unavailable' });
  t.is(await memory.head('a'), undefined);
  await t.throwsAsync(faulty.put('a', bytesOf('x')), { code: 'store/unavailable' });
  t.is((await memory.head('a'))?.sizeBytes, 1);
  await t.throwsAsync(faulty.delete(['a']), { code: 'store/unavailable' });
  t.is(await memory.head('a'), undefined);
  await t.throwsAsync(keysOf(faulty), { code: 'store/unavailable' });
});

test('bodies come truncated or garbled, and the object stays whole', async (t) => {
  const { memory, faulty } = scriptedStore(['none', 'truncate', 'garble', 'none']);
  await faulty.put('a', bytesOf('0123456789'));
  t.is(textOf(await faulty.get('a')), '01234');
  const garbled = await faulty.get('a');
  t.is(garbled.length, 10);
  t.not(textOf(garbled), '0123456789');
  t.is(textOf(await faulty.get('a')), '0123456789');
  t.is(textOf(await memory.get('a')), '0123456789');
});

test('a hanging request ends with its signal', async (t) => {
  const { faulty } = scriptedStore(['hang']);
  const controller = new AbortController();
  const get = faulty.get('a', { signal: controller.signal });
  controller.abort(new Error('stopped'));
  await t.throwsAsync(get, { message: 'stopped' });
});

test('latency is added by the clock', async (t) => {
  const slept: number[] = [];
  const clock = { ...systemClock, sleep: async (ms: number) => void slept.push(ms) };
  const plan = () => ({ kind: 'none' as const, latencyMs: 20 });
  const store = new FaultStore(new MemoryStore(), { plan, clock });
  await store.put('a', bytesOf('x'));
  await keysOf(store);
  t.deepEqual(slept, [20, 20]);
});
