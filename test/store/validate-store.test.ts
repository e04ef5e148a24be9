import test from 'ava';

import { systemClock } from '../../src/base/clock.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { storeError } from '../../src/store/store-error.ts';
import { validateStore, type StoreReport } from '../../src/store/validate-store.ts';

const { signal } = new AbortController();

/** A memory store of which a test replaces what it wants. */
async function validate(change: Partial<ObjectStore> = {}) {
  const memory = new MemoryStore({ clock: systemClock });
  const store: ObjectStore = {
    location: memory.location,
    capabilities: memory.capabilities,
    put: (...call) => memory.put(...call),
    get: (...call) => memory.get(...call),
    head: (...call) => memory.head(...call),
    list: (...call) => memory.list(...call),
    delete: (...call) => memory.delete(...call),
    close: () => memory.close(),
    ...change,
  };
  const report = await validateStore(store, { clock: systemClock, signal });
  const left = await keysOf(memory);
  return { report, memory, left };
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys = [];
  for await (const { key } of store.list('')) keys.push(key);
  return keys;
}

const outcomes = ({ checks }: StoreReport) =>
  Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));

test('a good store passes everything, is measured, and nothing is left in it', async (t) => {
  const { report, left } = await validate();
  t.deepEqual(outcomes(report), {
    write: 'ok',
    read: 'ok',
    range: 'ok',
    list: 'ok',
    'conditional put': 'ok',
    clock: 'ok',
    throughput: 'ok',
    delete: 'ok',
  });
  t.true((report.writeBytesPerSecond ?? 0) > 0);
  t.deepEqual(left, []);
});

test('a poor store passes with what is limited', async (t) => {
  const capabilities = { conditionalPut: false, batchDelete: 1, maxObjectBytes: 1 << 30 };
  const { report, left } = await validate({ capabilities });
  t.like(outcomes(report), { 'conditional put': 'limited', delete: 'limited', write: 'ok' });
  t.deepEqual(left, []);
});

test('a store that may not be written says so, and is still listed', async (t) => {
  const denied = () => Promise.reject(storeError('store/denied', 'you may not write'));
  const { report } = await validate({ put: denied });
  t.like(outcomes(report), { write: 'failed', read: 'skipped', list: 'ok', delete: 'skipped' });
  t.is(report.checks[0]?.words, 'you may not write');
  t.is(report.writeBytesPerSecond, undefined);
});

test('a store that lies is found out', async (t) => {
  const wrong = await validate({
    get: async (_key, options) => new Uint8Array(options?.range?.length ?? 4096),
    list: async function* () {},
  });
  t.like(outcomes(wrong.report), { read: 'failed', range: 'failed', list: 'failed' });
  t.deepEqual(wrong.left, []);
  const memory = new MemoryStore({ clock: systemClock });
  const replacing = await validate({ put: (key, body) => memory.put(key, body) });
  t.is(outcomes(replacing.report)['conditional put'], 'failed');
});

test('a clock that is wrong is named with its distance', async (t) => {
  const { report } = await validate({
    put: async (key, body) => ({
      key,
      sizeBytes: body.length,
      modifiedMs: systemClock.nowMs() - 600_000,
    }),
  });
  const clock = report.checks.find(({ name }) => name === 'clock');
  t.is(clock?.outcome, 'limited');
  t.regex(clock?.words ?? '', /(599|600|601) s behind/);
});

test('what cannot be deleted is said to be left behind', async (t) => {
  const denied = () => Promise.reject(storeError('store/denied', 'you may not delete'));
  const { report } = await validate({ delete: denied });
  t.like(outcomes(report), { delete: 'failed', 'clean-up': 'failed' });
});

test('an abort ends it, and what was written is removed', async (t) => {
  const memory = new MemoryStore({ clock: systemClock });
  const controller = new AbortController();
  const store: ObjectStore = Object.assign(Object.create(memory) as ObjectStore, {
    capabilities: memory.capabilities,
    put: memory.put.bind(memory),
    list: memory.list.bind(memory),
    delete: memory.delete.bind(memory),
    get: () => {
      controller.abort(new Error('enough'));
      return Promise.reject(new Error('aborted'));
    },
  });
  const validating = validateStore(store, { clock: systemClock, signal: controller.signal });
  await t.throwsAsync(validating, { message: 'enough' });
  t.deepEqual(await keysOf(memory), []);
});
