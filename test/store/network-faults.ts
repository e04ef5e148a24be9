import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/base/clock.ts';
import { hasCode } from '../../src/base/errors.ts';
import { DeadlineStore } from '../../src/store/layers/deadline.ts';
import { RetryStore } from '../../src/store/layers/retry.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import type { ProxyPlan } from '../support/servers/fault-proxy.ts';

/** A bare store in a bucket of its own, reached through a proxy that follows the plan once open. */
export type OpenBehindProxy = (t: ExecutionContext, plan: ProxyPlan) => Promise<ObjectStore>;
type TestWithServer = (title: string, run: (t: ExecutionContext) => Promise<void>) => void;

const BODY = Buffer.alloc(100_000, 'cloudvol');
const QUICK = { clock: systemClock, policy: { maxAttempts: 8, baseDelayMs: 1, maxDelayMs: 4 } };

/** What a network does to a backend, and what the backend and the layers on it make of it. */
export function describeNetworkFaults(withServer: TestWithServer, open: OpenBehindProxy): void {
  withServer('a put if absent whose answer was lost is known as its own', async (t) => {
    let lost = false;
    const bare = await open(t, ({ method }) => {
      if (method === 'GET' || method === 'HEAD' || lost) return undefined;
      lost = true;
      return 'lost-answer';
    });
    const store = new RetryStore(bare, QUICK);
    t.is((await store.put('a', BODY, { ifAbsent: true })).sizeBytes, BODY.length);
    t.true(lost);
    const second = store.put('a', Buffer.from('another'), { ifAbsent: true });
    await t.throwsAsync(second, { code: 'store/exists' });
  });

  withServer('a body that is cut off or short is an error, and nobody below retries', async (t) => {
    let fault: 'truncate' | 'short' | undefined;
    let gets = 0;
    const store = await open(t, ({ method }) => {
      if (method === 'GET') gets++;
      return method === 'GET' ? fault : undefined;
    });
    await store.put('a', BODY);
    const range = { offset: 10, length: 50_000 };
    for (const [kind, options] of [
      ['truncate', {}],
      ['truncate', { range }],
      ['short', { range }],
    ] as const) {
      fault = kind;
      gets = 0;
      t.true(isBroken(await t.throwsAsync(store.get('a', options), undefined, kind)), kind);
      t.is(gets, 1);
    }
    fault = undefined;
    t.is((await store.get('a', { range })).length, range.length);
  });

  withServer('a storm of 503 is waited out by the retry layer, and by nothing below', async (t) => {
    let requests = 0;
    const bare = await open(t, () => (++requests <= 5 ? 503 : undefined));
    const refused = { code: 'store/unavailable', message: /status 503/ };
    await t.throwsAsync(bare.put('a', BODY), refused);
    t.is(requests, 1);
    await new RetryStore(bare, QUICK).put('a', BODY);
    t.is(requests, 6);
  });

  withServer('a connection that breaks is unavailable, whatever was asked', async (t) => {
    const store = await open(t, () => 'reset');
    const cut = { code: 'store/unavailable', message: /broke off/ };
    await t.throwsAsync(store.put('a', BODY), cut);
    await t.throwsAsync(store.get('a'), cut);
    await t.throwsAsync(store.head('a'), cut);
    await t.throwsAsync(store.delete(['a', 'b']), cut);
    await t.throwsAsync(store.list('')[Symbol.asyncIterator]().next(), cut);
  });

  withServer('a listing that is cut off or short is an error, never an empty one', async (t) => {
    let fault: 'truncate' | 'short' | undefined;
    const store = await open(t, () => fault);
    for (const key of ['a', 'b', 'c']) await store.put(key, BODY);
    for (const kind of ['truncate', 'short'] as const) {
      fault = kind;
      t.true(isBroken(await t.throwsAsync(store.list('')[Symbol.asyncIterator]().next())), kind);
    }
  });

  withServer('a deletion whose answer is cut off or short fails or is done', async (t) => {
    for (const kind of ['truncate', 'short'] as const) {
      let fault: typeof kind | undefined;
      const store = await open(t, () => fault);
      for (const key of ['a', 'b', 'c']) await store.put(key, BODY);
      fault = kind;
      const [end] = await Promise.allSettled([store.delete(['a', 'b', 'c'])]);
      fault = undefined;
      if (end?.status === 'rejected') t.true(isBroken(end.reason), kind);
      else t.true((await store.list('')[Symbol.asyncIterator]().next()).done);
    }
  });

  withServer('what hangs is cut by the deadline layer, and ended by an abort', async (t) => {
    const bare = await open(t, () => 'hang');
    const store = new DeadlineStore(bare, { clock: systemClock, requestLimitMs: 200 });
    const hung = { code: 'store/unavailable', message: /did not answer within/ };
    await t.throwsAsync(store.head('a'), hung);
    const reason = new Error('stopped by the user');
    const aborted = async (call: (signal: AbortSignal) => Promise<unknown>) => {
      const controller = new AbortController();
      const outcome = call(controller.signal);
      setImmediate(() => controller.abort(reason));
      t.is(await t.throwsAsync(outcome), reason);
    };
    await aborted((signal) => bare.get('a', { signal }));
    await aborted((signal) => bare.put('a', BODY, { signal }));
    await aborted((signal) => bare.head('a', { signal }));
    await aborted((signal) => bare.delete(['a', 'b'], { signal }));
    await aborted((signal) => bare.list('', { signal })[Symbol.asyncIterator]().next());
  });
}

function isBroken(error: unknown): boolean {
  return hasCode(error, 'store/unavailable') || hasCode(error, 'store/corrupt');
}
