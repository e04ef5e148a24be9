import test from 'ava';
import { MetricsStore } from '../../../src/store/layers/metrics.ts';
import { bytesOf, keysOf } from '../../conformance/object-store/contract.ts';
import { MemoryStore } from '../../../src/store/memory.ts';
import { scriptedStore } from './scripted-store.ts';

test('requests, bytes and errors are counted by what was asked of the backend', async (t) => {
  const { faulty } = scriptedStore(['none', 'error']);
  const store = new MetricsStore(faulty);
  await store.put('a', bytesOf('12345'));
  await t.throwsAsync(store.put('a', bytesOf('123')), { code: 'store/unavailable' });
  await store.get('a', { range: { offset: 1, length: 3 } });
  await t.throwsAsync(store.get('b'), { code: 'store/not-found' });
  await t.throwsAsync(store.get('c'), { code: 'store/not-found' });
  await t.throwsAsync(store.get('a', { signal: AbortSignal.abort(new Error('stop')) }));
  await store.head('a');
  await keysOf(store);
  await store.delete(['a', 'b']);
  t.deepEqual(store.snapshot(), {
    requests: { put: 2, get: 4, head: 1, list: 1, delete: 1 },
    bytesUp: 8,
    bytesDown: 3,
    errors: { 'store/unavailable': 1, 'store/not-found': 2, other: 1 },
    inFlight: 0,
  });
});

test('a delete counts the batches that it takes', async (t) => {
  const store = new MetricsStore(new MemoryStore({ capabilities: { batchDelete: 10 } }));
  await store.delete(Array.from({ length: 25 }, (_, index) => `k${index}`));
  t.is(store.snapshot().requests.delete, 3);
});

test('a listing is in flight until its reader has done with it', async (t) => {
  const memory = new MemoryStore();
  await memory.put('a', bytesOf('x'));
  const store = new MetricsStore(memory);
  for await (const _ of store.list('')) t.is(store.snapshot().inFlight, 1);
  t.is(store.snapshot().inFlight, 0);
});
