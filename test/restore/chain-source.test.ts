import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import type { Extent } from '../../src/base/extent.ts';
import { createLog } from '../../src/base/log.ts';
import { openChainSource } from '../../src/restore/chain-source.ts';
import type { FetchPriority, FetchedRun } from '../../src/volume/backing-source.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { instantClock } from '../model/instant-clock.ts';
import { blocksOf, ScriptedReader } from '../model/scripted-reader.ts';

const unavailable = () => new CloudvolError('store/unavailable', 'the store does not answer');
const corrupt = () => new CloudvolError('cloudsnap/corrupt', 'block 3 is not what it was');

async function open(clock = instantClock()) {
  const reader = new ScriptedReader();
  const events: string[] = [];
  const log = createLog((line) => events.push((JSON.parse(line) as { event: string }).event));
  const { repository, entry } = reader;
  const source = await openChainSource({ repository, entry, clock, log });
  const read = (
    firstBlock: number,
    blockCount: number,
    priority: FetchPriority = 'demand',
    signal?: AbortSignal,
  ) => source.readBlocks({ firstBlock, blockCount }, signal ? { priority, signal } : { priority });
  return { reader, source, read, events };
}

function bytesOf(runs: readonly FetchedRun[]): Uint8Array {
  return Buffer.concat(runs.map((run) => run.data ?? new Uint8Array()));
}

const settled = () => new Promise(setImmediate);

test('a read returns the bytes of its blocks with one request', async (t) => {
  const { reader, read } = await open();
  const runs = read(5, 3);
  (await reader.untilRequests(1)).answer();
  t.deepEqual(bytesOf(await runs), Buffer.from(reader.content({ firstBlock: 5, blockCount: 3 })));
  t.is(reader.requests.length, 1);
});

test('a zero run stays a run without data', async (t) => {
  const { reader, read } = await open();
  const runs = read(5, 3);
  (await reader.untilRequests(1)).answer([{ firstBlock: 5, blockCount: 3 }]);
  t.deepEqual(await runs, [{ firstBlock: 5, blockCount: 3 }]);
});

test('readers of blocks under way join the request, and fetch only the rest', async (t) => {
  const { reader, read } = await open();
  const first = read(10, 4);
  const same = read(10, 4);
  const inside = read(11, 1);
  const across = read(8, 8);
  await reader.untilRequests(3);
  t.deepEqual(
    reader.requests.map((r) => blocksOf(r.extent)),
    ['10-13', '8-9', '14-15'],
  );
  for (const request of reader.requests) request.answer();
  const expect = (firstBlock: number, blockCount: number) =>
    Buffer.from(reader.content({ firstBlock, blockCount }));
  t.deepEqual(bytesOf(await first), expect(10, 4));
  t.deepEqual(bytesOf(await same), expect(10, 4));
  t.deepEqual(bytesOf(await inside), expect(11, 1));
  t.deepEqual(bytesOf(await across), expect(8, 8));
});

test('a finished request is not remembered: the next reader fetches again', async (t) => {
  const { reader, read } = await open();
  const first = read(1, 1);
  (await reader.untilRequests(1)).answer();
  await first;
  const second = read(1, 1);
  (await reader.untilRequests(2)).answer();
  await t.notThrowsAsync(second);
});

test('long extents are cut at multiples of 4 MiB', async (t) => {
  const reader = new ScriptedReader(4096, 4096);
  const { repository, entry } = reader;
  const source = await openChainSource({
    repository,
    entry,
    clock: instantClock(),
    log: createLog(() => {}),
  });
  const runs = source.readBlocks({ firstBlock: 1000, blockCount: 1100 }, { priority: 'demand' });
  await reader.untilRequests(3);
  t.deepEqual(
    reader.requests.map((r) => blocksOf(r.extent)),
    ['1000-1023', '1024-2047', '2048-2099'],
  );
  for (const request of reader.requests) request.answer();
  t.is(bytesOf(await runs).length, 1100 * 4096);
});

test('a demand read overtakes the background, and joins what that has queued', async (t) => {
  const { reader, read } = await open();
  const background = Array.from({ length: 20 }, (_, i) => read(i * 10, 10, 'background'));
  await settled();
  t.is(reader.requests.length, 8);
  const demand = read(500, 1);
  t.is(blocksOf((await reader.untilRequests(9)).extent), '500-500');
  const queued = read(190, 1);
  t.is(blocksOf((await reader.untilRequests(10)).extent), '190-199');
  reader.requests[8]?.answer();
  reader.requests[9]?.answer();
  t.deepEqual(
    bytesOf(await demand),
    Buffer.from(reader.content({ firstBlock: 500, blockCount: 1 })),
  );
  t.deepEqual(
    bytesOf(await queued),
    Buffer.from(reader.content({ firstBlock: 190, blockCount: 1 })),
  );
  for (let i = 1; i <= 21; i++) (await reader.untilRequests(i)).answer();
  await Promise.all(background);
  t.is(reader.requests.length, 21, 'no block was fetched twice');
});

test('a demand read waits for a store that is away, however long', async (t) => {
  const { reader, read, events } = await open();
  const runs = read(5, 1);
  for (let i = 1; i <= 100; i++) (await reader.untilRequests(i)).fail(unavailable());
  (await reader.untilRequests(101)).answer();
  t.deepEqual(bytesOf(await runs), Buffer.from(reader.content({ firstBlock: 5, blockCount: 1 })));
  t.deepEqual(events, ['restore.fetch-failed', 'restore.fetch-recovered']);
});

test('a demand read waits for credentials to be mended', async (t) => {
  const { reader, read } = await open();
  const runs = read(5, 1);
  const denied = new CloudvolError('store/denied', 'the credentials are not valid any more');
  for (let i = 1; i <= 30; i++) (await reader.untilRequests(i)).fail(denied);
  (await reader.untilRequests(31)).answer();
  await t.notThrowsAsync(runs);
});

test('waits between attempts are bounded, so that a store that is back is noticed', async (t) => {
  const clock = new ManualClock();
  const { reader, read } = await open(clock);
  const runs = read(5, 1);
  for (let i = 1; i <= 20; i++) {
    (await reader.untilRequests(i)).fail(unavailable());
    await clock.untilSleeping();
    await clock.advance(10_000);
  }
  (await reader.untilRequests(21)).answer();
  await t.notThrowsAsync(runs);
});

test('a background read of a store that does not answer fails after eight attempts', async (t) => {
  const { reader, read } = await open();
  const runs = read(5, 1, 'background');
  for (let i = 1; i <= 8; i++) (await reader.untilRequests(i)).fail(unavailable());
  await t.throwsAsync(runs, { code: 'store/unavailable' });
  t.is(reader.requests.length, 8);
});

test('a background request that a reader has joined is not given up', async (t) => {
  const { reader, read } = await open();
  const background = read(5, 4, 'background');
  await reader.untilRequests(1);
  const demand = read(6, 1);
  for (let i = 1; i <= 20; i++) (await reader.untilRequests(i)).fail(unavailable());
  (await reader.untilRequests(21)).answer();
  await t.notThrowsAsync(background);
  t.deepEqual(bytesOf(await demand), Buffer.from(reader.content({ firstBlock: 6, blockCount: 1 })));
});

for (const code of [
  'cloudsnap/corrupt',
  'store/corrupt',
  'store/not-found',
  'format/corrupt',
] as const) {
  test(`${code} is an error after one more attempt`, async (t) => {
    const { reader, read } = await open();
    const fault = () => new CloudvolError(code, 'not the bytes that belong here');
    const mended = read(5, 1);
    (await reader.untilRequests(1)).fail(fault());
    (await reader.untilRequests(2)).answer();
    await t.notThrowsAsync(mended);
    const lost = read(5, 1);
    (await reader.untilRequests(3)).fail(fault());
    (await reader.untilRequests(4)).fail(fault());
    await t.throwsAsync(lost, { code });
    t.is(reader.requests.length, 4);
  });
}

test('a programming error is not tried again', async (t) => {
  const { reader, read } = await open();
  const runs = read(5, 1);
  (await reader.untilRequests(1)).fail(new TypeError('no such method'));
  await t.throwsAsync(runs, { instanceOf: TypeError });
});

const badAnswers: Record<string, FetchedRun[]> = {
  'too short': [{ firstBlock: 5, blockCount: 2 }],
  'too long': [{ firstBlock: 5, blockCount: 4 }],
  'of other blocks': [{ firstBlock: 6, blockCount: 3 }],
  'with a gap': [
    { firstBlock: 5, blockCount: 1 },
    { firstBlock: 7, blockCount: 1 },
  ],
  'with a short body': [{ firstBlock: 5, blockCount: 3, data: new Uint8Array(4096) }],
  'that is empty': [],
};
for (const [what, runs] of Object.entries(badAnswers)) {
  test(`right bytes or an error: an answer ${what} is refused`, async (t) => {
    const { reader, read } = await open();
    const wanted = read(5, 3);
    (await reader.untilRequests(1)).answer(runs);
    (await reader.untilRequests(2)).answer(runs);
    await t.throwsAsync(wanted, { code: 'restore/bad-run' });
  });
}

test('one failed part fails the read and leaves the other parts to their readers', async (t) => {
  const { reader, read } = await open();
  const other = read(10, 2);
  const both = read(8, 4);
  await reader.untilRequests(2);
  reader.requests[1]?.fail(corrupt());
  (await reader.untilRequests(3)).fail(corrupt());
  reader.requests[0]?.answer();
  await t.throwsAsync(both, { code: 'cloudsnap/corrupt' });
  await t.notThrowsAsync(other);
});

test('a reader that gives up leaves the request to the others; the last one ends it', async (t) => {
  const { reader, read } = await open();
  const [first, second] = [new AbortController(), new AbortController()];
  const one = read(5, 1, 'demand', first.signal);
  const two = read(5, 1, 'demand', second.signal);
  const { signal } = await reader.untilRequests(1);
  first.abort(new Error('first is gone'));
  await t.throwsAsync(one, { message: 'first is gone' });
  t.false(signal?.aborted);
  second.abort(new Error('second is gone'));
  await t.throwsAsync(two, { message: 'second is gone' });
  t.true(signal?.aborted);
  const three = read(5, 1);
  (await reader.untilRequests(2)).answer();
  await t.notThrowsAsync(three);
});

test('close ends waiting readers, also between two attempts, and refuses new ones', async (t) => {
  const clock = new ManualClock();
  const { reader, source, read } = await open(clock);
  const sleeping = read(5, 1);
  (await reader.untilRequests(1)).fail(unavailable());
  await clock.untilSleeping();
  const asking = read(7, 1);
  await reader.untilRequests(2);
  const ends = [sleeping, asking].map((runs) =>
    t.throwsAsync(runs, { code: 'restore/source-closed' }),
  );
  await source.close();
  await Promise.all(ends);
  t.true(reader.closed);
  await t.throwsAsync(read(5, 1), { code: 'restore/source-closed' });
  t.is(clock.sleeping, 0);
});

test('an extent of no blocks asks for nothing', async (t) => {
  const { reader, source } = await open();
  const nothing: Extent = { firstBlock: 3, blockCount: 0 };
  t.deepEqual(await source.readBlocks(nothing, { priority: 'demand' }), []);
  t.is(reader.requests.length, 0);
});
