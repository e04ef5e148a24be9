import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { DeferredSource } from '../../src/restore/deferred-source.ts';
import type { BackingSource } from '../../src/volume/backing-source.ts';
import { instantClock } from '../model/instant-clock.ts';

const extent = { firstBlock: 3, blockCount: 2 };
const demand = { priority: 'demand' } as const;

function zeroSource(): BackingSource & { closed: boolean } {
  const source = {
    closed: false,
    readBlocks: async () => [extent],
    close: async () => {
      source.closed = true;
    },
  };
  return source;
}

function defer(open: (signal: AbortSignal) => Promise<BackingSource>) {
  return new DeferredSource({ open, clock: instantClock(), log: silentLog });
}

test('a deferred source is opened by its first reader, once for all', async (t) => {
  let opened = 0;
  const source = defer(async () => {
    opened++;
    return zeroSource();
  });
  t.is(opened, 0);
  await Promise.all([source.readBlocks(extent, demand), source.readBlocks(extent, demand)]);
  t.is(opened, 1);
});

test('readers wait until a store that does not answer can be opened', async (t) => {
  let attempts = 0;
  const source = defer(async () => {
    if (++attempts < 50) throw new CloudvolError('store/unavailable', 'the store is away');
    return zeroSource();
  });
  t.deepEqual(await source.readBlocks(extent, demand), [extent]);
});

test('a cloudsnap that is not there is an error, and the next reader tries afresh', async (t) => {
  let there = false;
  const source = defer(async () => {
    if (!there) throw new CloudvolError('cloudsnap/not-found', 'no such cloudsnap');
    return zeroSource();
  });
  await t.throwsAsync(source.readBlocks(extent, demand), { code: 'cloudsnap/not-found' });
  there = true;
  t.deepEqual(await source.readBlocks(extent, demand), [extent]);
});

test('a reader that gives up does not end the opening for others', async (t) => {
  let open: (source: BackingSource) => void = () => {};
  const source = defer(() => new Promise((resolve) => (open = resolve)));
  const abort = new AbortController();
  const impatient = source.readBlocks(extent, { ...demand, signal: abort.signal });
  const patient = source.readBlocks(extent, demand);
  abort.abort(new Error('enough'));
  await t.throwsAsync(impatient, { message: 'enough' });
  open(zeroSource());
  t.deepEqual(await patient, [extent]);
});

test('close ends waiting readers and closes what was opened', async (t) => {
  const inner = zeroSource();
  const opened = defer(async () => inner);
  await opened.readBlocks(extent, demand);
  await opened.close();
  t.true(inner.closed);
  await t.throwsAsync(opened.readBlocks(extent, demand), { code: 'restore/source-closed' });

  const away = defer(async () => {
    throw new CloudvolError('store/unavailable', 'the store is away');
  });
  const waiting = t.throwsAsync(away.readBlocks(extent, demand), { code: 'restore/source-closed' });
  await away.close();
  await waiting;
});
