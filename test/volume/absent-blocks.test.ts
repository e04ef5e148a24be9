import { existsSync, readdirSync, truncateSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { abortable } from '../../src/base/abortable.ts';
import type { Clock } from '../../src/base/clock.ts';
import { CloudvolError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { differingBlocks } from '../model/differing-blocks.ts';
import { BACKING, DiskLab, ImageSource, newVolume, readAll } from './disk-lab.ts';
import { randomImage } from './random-bytes.ts';

const BLOCK = 4096;
const BLOCKS = 64;

async function lazyVolume(t: ExecutionContext, changes: { readonly clock?: Clock } = {}) {
  const lab = new DiskLab(t);
  const image = randomImage(seededRandom(77), BLOCK * BLOCKS, BLOCK);
  const source = new ImageSource(image.slice(), BLOCK);
  lab.source = source;
  const catalog = await lab.open(changes);
  const volume = await catalog.createAbsent({
    ...newVolume(image.length),
    backing: BACKING,
    source,
  });
  return { lab, image, source, catalog, volume };
}

test('after a power cut what was flushed is there, the rest comes from the source', async (t) => {
  const { lab, image, source, volume } = await lazyVolume(t);
  await volume.write(0, new Uint8Array(BLOCK * 4).fill(1));
  await volume.read(BLOCK * 10, new Uint8Array(BLOCK * 2));
  await volume.flush();
  // Not flushed: may be lost, but never mixed up.
  await volume.write(BLOCK * 20, new Uint8Array(BLOCK).fill(2));
  await volume.read(BLOCK * 30, new Uint8Array(BLOCK));
  lab.cutPower();
  const again = await lab.open();
  const found = again.find('v');
  t.is(found.absentBlocks, BLOCKS - 6);
  t.regex(lab.log, /"volume\.bits-lost".*"end":"power-cut"/);
  source.requests.length = 0;
  const start = new Uint8Array(BLOCK * 12);
  await found.read(0, start);
  t.deepEqual(
    source.requests.map(({ firstBlock, blockCount }) => [firstBlock, blockCount]),
    [[4, 6]],
  );
  image.fill(1, 0, BLOCK * 4);
  const all = await readAll(found);
  // The write that was not flushed is whole or not there at all.
  const lost = differingBlocks(all, image, BLOCK);
  t.deepEqual(lost, []);
  await again.close();
});

test('a kill loses no present block, flushed or not', async (t) => {
  const { lab, image, source, volume } = await lazyVolume(t);
  await volume.write(BLOCK * 20 + 1, new Uint8Array([7, 8, 9]));
  image.set([7, 8, 9], BLOCK * 20 + 1);
  await volume.read(BLOCK * 30, new Uint8Array(BLOCK));
  const again = await lab.open();
  const found = again.find('v');
  t.is(found.absentBlocks, BLOCKS - 2);
  source.requests.length = 0;
  await found.read(BLOCK * 30, new Uint8Array(BLOCK));
  t.deepEqual(source.requests, []);
  t.deepEqual(differingBlocks(await readAll(found), image, BLOCK), []);
  await again.close();
});

test('an orderly end keeps every present block', async (t) => {
  const { lab, image, source, catalog, volume } = await lazyVolume(t);
  await volume.write(0, new Uint8Array(BLOCK * 3).fill(5));
  image.fill(5, 0, BLOCK * 3);
  await catalog.close();
  t.true(source.isClosed);
  lab.cutPower();
  lab.source = new ImageSource(image.slice(), BLOCK);
  const again = await lab.open();
  t.is(again.find('v').absentBlocks, BLOCKS - 3);
  t.is(again.find('v').file.current.bitsLostBefore, 0);
  t.deepEqual(differingBlocks(await readAll(again.find('v')), image, BLOCK), []);
  await again.close();
});

test('filling never overwrites what is there', async (t) => {
  const { image, catalog, volume } = await lazyVolume(t);
  await volume.write(BLOCK * 5, new Uint8Array(BLOCK).fill(1));
  await volume.trim(BLOCK * 6, BLOCK);
  const stale = new Uint8Array(BLOCK * 4).fill(9);
  await volume.populate({ firstBlock: 4, blockCount: 4, data: stale });
  await volume.populate({ firstBlock: 5, blockCount: 1 });
  image.fill(9, BLOCK * 4, BLOCK * 8);
  image.fill(1, BLOCK * 5, BLOCK * 6);
  image.fill(0, BLOCK * 6, BLOCK * 7);
  t.deepEqual(differingBlocks(await readAll(volume), image, BLOCK), []);
  await catalog.close();
});

test('a source that fails is an error to whoever reads, never wrong bytes', async (t) => {
  const { image, source, catalog, volume } = await lazyVolume(t);
  source.fault = new CloudvolError('store/unavailable', 'the store does not answer');
  const target = new Uint8Array(BLOCK * 2).fill(0xee);
  await t.throwsAsync(volume.read(BLOCK, target), { code: 'store/unavailable' });
  await t.throwsAsync(volume.write(BLOCK + 1, new Uint8Array(1)), { code: 'store/unavailable' });
  t.is(volume.absentBlocks, BLOCKS);
  // A whole block needs nobody.
  await volume.write(0, image.slice(0, BLOCK));
  source.fault = undefined;
  t.deepEqual(differingBlocks(await readAll(volume), image, BLOCK), []);
  await catalog.close();
});

test('a reader waits for an absent block for ever, or as long as it was told', async (t) => {
  const clock = new ManualClock();
  const { image, catalog, volume, source } = await lazyVolume(t, { clock });
  let answer = () => {};
  const away = new Promise<void>((resolve) => (answer = resolve));
  const read = source.readBlocks.bind(source);
  source.readBlocks = async (extent, options) => {
    await abortable(away, options.signal);
    return read(extent, options);
  };
  const patient = volume.read(BLOCK, new Uint8Array(BLOCK));
  while (volume.waits().readers === 0) await new Promise(setImmediate);
  await clock.advance(3_600_000);
  t.deepEqual(volume.waits(), { readers: 1, longestMs: 3_600_000 });
  await volume.changeBacking((backing) => ({ ...backing, absentTimeoutMs: 5000 }));
  const hasty = volume.read(BLOCK * 9, new Uint8Array(BLOCK));
  await clock.untilSleeping();
  // What is here stays in use meanwhile.
  await volume.write(0, image.slice(0, BLOCK));
  await volume.read(0, new Uint8Array(BLOCK));
  await clock.advance(5000);
  await t.throwsAsync(hasty, {
    code: 'volume/absent-timeout',
    message: /blocks 9 to 9 of volume v/,
  });
  t.is(volume.waits().readers, 1);
  answer();
  await patient;
  t.deepEqual(volume.waits(), { readers: 0, longestMs: 0 });
  t.deepEqual(differingBlocks(await readAll(volume), image, BLOCK), []);
  await catalog.close();
});

test('absent blocks are listed in pieces, ascending, and no others', async (t) => {
  const { catalog, volume } = await lazyVolume(t);
  await volume.write(BLOCK * 10, new Uint8Array(BLOCK * 5));
  const pieces = [...volume.absentExtents(8)].map((e) => [e.firstBlock, e.blockCount]);
  t.deepEqual(pieces, [
    [0, 8],
    [8, 2],
    ...[15, 23, 31, 39, 47, 55].map((first) => [first, 8]),
    [63, 1],
  ]);
  await catalog.close();
});

test('hydration is complete only when nothing is absent, and then for good', async (t) => {
  const { lab, image, source, catalog, volume } = await lazyVolume(t);
  await t.throwsAsync(volume.completeHydration(), { code: 'volume/not-hydrated' });
  await readAll(volume);
  await volume.completeHydration();
  t.true(source.isClosed);
  t.is(volume.backingSource, undefined);
  t.false(existsSync(volume.directory.presentPath));
  await catalog.close();
  lab.source = undefined;
  const again = await lab.open();
  t.is(again.find('v').file.current.backing, null);
  t.deepEqual(differingBlocks(await readAll(again.find('v')), image, BLOCK), []);
  await again.close();
});

test('a kill right after hydration leaves a volume that needs no source', async (t) => {
  const { lab, image, volume } = await lazyVolume(t);
  await readAll(volume);
  await volume.completeHydration();
  lab.source = undefined;
  lab.cutPower();
  const again = await lab.open();
  t.deepEqual(differingBlocks(await readAll(again.find('v')), image, BLOCK), []);
  await again.close();
});

test('an end of the volume while a read waits for its source leaves nothing open', async (t) => {
  const { lab, image, catalog, volume } = await lazyVolume(t);
  const reading = volume.read(0, new Uint8Array(BLOCK));
  await catalog.close();
  await t.throwsAsync(reading);
  await t.throwsAsync(volume.populate({ firstBlock: 0, blockCount: 1 }), { code: 'volume/closed' });
  t.false(volume.file.current.inUse);
  t.false(existsSync(lab.liveDir));
  lab.source = new ImageSource(image, BLOCK);
  const again = await lab.open();
  t.deepEqual(differingBlocks(await readAll(again.find('v')), image, BLOCK), []);
  await again.close();
});

test('present bits that are damaged are an error, and data stays as it is', async (t) => {
  const { lab, catalog, volume } = await lazyVolume(t);
  await readAll(volume);
  const { presentPath, path } = volume.directory;
  await catalog.close();
  truncateSync(presentPath, 20);
  const again = await lab.open();
  t.regex(lab.log, /"volume\.not-opened".*its bits are damaged/);
  await t.throwsAsync(readAll(again.find('v')), { code: 'volume/corrupt' });
  await again.close();
  t.true(readdirSync(path).includes('data'));
});
