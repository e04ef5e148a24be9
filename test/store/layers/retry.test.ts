import test from 'ava';
import { LimitStore } from '../../../src/store/layers/limit.ts';
import { DeadlineStore, REQUEST_LIMIT_MS } from '../../../src/store/layers/deadline.ts';
import { FaultStore } from '../../../src/store/layers/faults.ts';
import { RetryStore, STORE_RETRY_POLICY } from '../../../src/store/layers/retry.ts';
import { MemoryStore } from '../../../src/store/memory.ts';
import { bytesOf, keysOf, textOf } from '../../conformance/object-store/contract.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { scriptedStore } from './scripted-store.ts';

const quick = { policy: { maxAttempts: 3, baseDelayMs: 0, maxDelayMs: 0 } };

test('what is unavailable is tried again, after waits by the clock', async (t) => {
  const clock = new ManualClock();
  const { memory, faulty } = scriptedStore(['error', 'error'], clock);
  const delays: number[] = [];
  const store = new RetryStore(faulty, {
    clock,
    random: () => 1,
    onRetry: ({ action, delayMs }) => {
      t.is(action, 'put a');
      delays.push(delayMs);
    },
  });
  const put = store.put('a', bytesOf('x'));
  await clock.untilSleeping();
  t.is(await memory.head('a'), undefined);
  await clock.advance(200 + 400);
  t.is((await put).sizeBytes, 1);
  t.deepEqual(delays, [200, 400]);
  t.is(faulty.count, 3);
});

test('trouble that lasts is reported after the last attempt', async (t) => {
  const { faulty } = scriptedStore(['error', 'error', 'error']);
  const store = new RetryStore(faulty, quick);
  await t.throwsAsync(store.get('a'), { code: 'store/unavailable' });
  t.is(faulty.count, 3);
});

test('what trying again cannot mend passes at once', async (t) => {
  const { faulty } = scriptedStore([]);
  const store = new RetryStore(faulty, quick);
  await t.throwsAsync(store.get('absent'), { code: 'store/not-found' });
  await t.throwsAsync(store.put('bad.', bytesOf('x')), { code: 'store/bad-key' });
  t.is(faulty.count, 2);
});

test('a put-if-absent whose answer was lost recognises its own object', async (t) => {
  const { memory, faulty } = scriptedStore(['lost-answer']);
  const store = new RetryStore(faulty, quick);
  const info = await store.put('manifests/1', bytesOf('mine'), { ifAbsent: true });
  t.deepEqual(info, await memory.head('manifests/1'));
});

test('a put-if-absent whose request was lost, and which another overtook, has lost', async (t) => {
  const { memory, faulty } = scriptedStore(['error']);
  await memory.put('manifests/1', bytesOf('hers'));
  const store = new RetryStore(faulty, quick);
  const put = store.put('manifests/1', bytesOf('mine'), { ifAbsent: true });
  await t.throwsAsync(put, { code: 'store/exists' });
  t.is(textOf(await memory.get('manifests/1')), 'hers');
});

test('a put-if-absent that is answered believes it, even if its own bytes lie there', async (t) => {
  const { memory, faulty } = scriptedStore([]);
  await memory.put('manifests/1', bytesOf('mine'));
  const put = new RetryStore(faulty, quick).put('manifests/1', bytesOf('mine'), { ifAbsent: true });
  await t.throwsAsync(put, { code: 'store/exists' });
});

test('looking for the own object survives trouble as well', async (t) => {
  const { faulty } = scriptedStore(['lost-answer', 'none', 'error', 'error']);
  const store = new RetryStore(faulty, quick);
  t.is((await store.put('a', bytesOf('mine'), { ifAbsent: true })).sizeBytes, 4);
});

test('a range that comes back short is fetched again, and never handed out', async (t) => {
  const { faulty } = scriptedStore([
    'none',
    'truncate',
    'none',
    'truncate',
    'truncate',
    'truncate',
  ]);
  const store = new RetryStore(faulty, quick);
  await store.put('a', bytesOf('0123456789'));
  const range = { offset: 2, length: 6 };
  t.is(textOf(await store.get('a', { range })), '234567');
  await t.throwsAsync(store.get('a', { range }), { code: 'store/corrupt' });
});

test('a listing that breaks off goes on where it was, without gaps or repeats', async (t) => {
  const fates = ['lost-answer', 'error', 'lost-answer', 'none'] as const;
  const { memory, faulty } = scriptedStore(fates);
  const keys = Array.from({ length: 25 }, (_, index) => `k${index + 10}`);
  for (const key of keys) await memory.put(key, bytesOf(key));
  // The second break comes before anything new: it counts as one more failure of the same step.
  const store = new RetryStore(faulty, { policy: { ...quick.policy, maxAttempts: 4 } });
  t.deepEqual(await keysOf(store), keys);
  t.is(faulty.count, 4);
});

test('a call that hangs is cut in time, gives its slot back and is tried again', async (t) => {
  const clock = new ManualClock();
  const { faulty } = scriptedStore(['hang', 'hang', 'none', 'hang'], clock);
  const limit = new LimitStore(new DeadlineStore(faulty, { clock }), { clock, maxRequests: 1 });
  const store = new RetryStore(limit, { clock, random: () => 0 });
  const put = store.put('a', new Uint8Array(0));
  for (let cut = 1; cut <= 2; cut++) {
    await clock.untilSleeping();
    await clock.advance(REQUEST_LIMIT_MS);
  }
  t.is((await put).sizeBytes, 0);
  const listed = keysOf(store);
  await clock.untilSleeping();
  await clock.advance(REQUEST_LIMIT_MS);
  t.deepEqual(await listed, ['a']);
  t.is(clock.sleeping, 0);
});

test('the time limit grows with the body', async (t) => {
  const clock = new ManualClock();
  const never = new FaultStore(new MemoryStore(), { plan: () => ({ kind: 'hang' }), clock });
  const store = new DeadlineStore(never, { clock, requestLimitMs: 1000 });
  const small = t.throwsAsync(store.put('small', new Uint8Array(0)), { code: 'store/unavailable' });
  const large = t.throwsAsync(store.put('large', new Uint8Array(1 << 20)), {
    message: /did not answer within 9 s: put large$/,
  });
  await clock.advance(1000);
  await small;
  t.is(clock.sleeping, 1);
  await clock.advance(8000);
  await large;
});

test('an abort ends the waiting between attempts with its own reason', async (t) => {
  const clock = new ManualClock();
  const { faulty } = scriptedStore(['error'], clock);
  const controller = new AbortController();
  const store = new RetryStore(faulty, { clock, random: () => 1 });
  const get = store.get('a', { signal: controller.signal });
  await clock.untilSleeping();
  controller.abort(new Error('stopped'));
  await t.throwsAsync(get, { message: 'stopped' });
});

test('the real policy gives up within a minute', (t) => {
  const { maxAttempts, baseDelayMs, maxDelayMs } = STORE_RETRY_POLICY;
  let waitMs = 0;
  for (let wait = 0; wait < maxAttempts - 1; wait++)
    waitMs += Math.min(maxDelayMs, baseDelayMs * 2 ** wait);
  t.true(waitMs < 60_000, `${waitMs} ms`);
});
