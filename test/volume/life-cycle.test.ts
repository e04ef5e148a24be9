import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { NativeOverlay } from '../../src/native.ts';
import { loadNative } from '../../src/native.ts';
import type { ChainTip, FrozenView, PlanKind } from '../../src/volume/volume-api.ts';
import type { Volume } from '../../src/volume/volume.ts';
import { DiskLab, newVolume, readAll } from './disk-lab.ts';

const BLOCK = 4096;
const SIZE = BLOCK * 64;
const FULL: PlanKind = { kind: 'full', reason: 'requested' };

function tipAt(view: FrozenView, repositoryId = 'r'): ChainTip {
  return {
    repositoryId,
    baseEpoch: view.epoch,
    cloudsnapId: `c/${view.epoch}`,
    manifestSha256: 'f'.repeat(64),
    sequence: view.epoch,
    incrementals: 0,
  };
}

async function backUp(volume: Volume, repositoryId = 'r'): Promise<ChainTip> {
  const view = await volume.freeze(FULL);
  const tip = tipAt(view, repositoryId);
  await volume.commitChain(tip);
  await view.release();
  return tip;
}

/** Blocks that the next incremental would upload; undefined when there must be a full. */
async function plannedSince(volume: Volume, base: ChainTip): Promise<number[] | undefined> {
  if (!volume.deltasCompleteSince(base.baseEpoch)) return undefined;
  const view = await volume.freeze({ kind: 'incremental', base });
  const blocks = [...view.extents()].flatMap(({ firstBlock, blockCount }) =>
    Array.from({ length: blockCount }, (_, i) => firstBlock + i),
  );
  await view.release();
  return blocks;
}

const writeBlock = (volume: Volume, block: number, byte = 1) =>
  volume.write(block * BLOCK, new Uint8Array(BLOCK).fill(byte));

test('an orderly end keeps data, chains and bits over a reboot', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  await writeBlock(volume, 0);
  const tip = await backUp(volume);
  await writeBlock(volume, 3);
  await catalog.close();
  t.false(volume.file.current.inUse);
  lab.cutPower();
  const again = await lab.open();
  const found = again.find('v');
  t.deepEqual(found.chainTip('r'), tip);
  await writeBlock(found, 5);
  t.deepEqual(await plannedSince(found, tip), [3, 5]);
  t.is((await readAll(found))[BLOCK * 3], 1);
  await again.close();
});

test('a power cut loses bits, says so, and asks for a full; later chains count', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const old = await backUp(volume);
  await writeBlock(volume, 3);
  lab.cutPower();
  const again = await lab.open();
  const found = again.find('v');
  t.regex(lab.log, /"volume\.bits-lost".*"end":"power-cut"/);
  t.is(await plannedSince(found, old), undefined);
  const fresh = await backUp(found);
  await writeBlock(found, 9);
  t.deepEqual(await plannedSince(found, fresh), [9]);
  await again.close();
});

test('live bits of an earlier boot are not used', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const tip = await backUp(volume);
  await writeBlock(volume, 3);
  lab.bootId = 'boot-2';
  const again = await lab.open();
  t.is(await plannedSince(again.find('v'), tip), undefined);
  await again.close();
});

test('a commit in doubt from before a power cut is no base for an incremental', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  // Epochs that nobody wants leave no delta that would tell of them.
  for (let i = 0; i < 8; i++) await (await volume.freeze(FULL)).release();
  const view = await volume.freeze(FULL);
  const pending = { repositoryId: 'r', cloudsnapId: 'c/1', epoch: view.epoch, createdMs: 1 };
  await volume.recordPendingCommit(pending);
  await writeBlock(volume, 3);
  lab.cutPower();
  const again = await lab.open();
  const found = again.find('v');
  t.deepEqual(found.pendingCommit('r'), pending);
  t.false(found.deltasCompleteSince(pending.epoch));
  await again.close();
});

test('a record from before the present life is noticed, and its chains get a full', async (t) => {
  const lab = new DiskLab(t);
  let catalog = await lab.open();
  let volume = await catalog.create(newVolume(SIZE));
  const old = await backUp(volume);
  const { path, statePath } = volume.directory;
  const copyOf = (name: string) => join(lab.stateDir, name);
  const inUse = copyOf('in-use.json');
  const atRest = copyOf('at-rest.json');
  cpSync(statePath, inUse);
  await writeBlock(volume, 1);
  await catalog.close();
  cpSync(statePath, atRest);

  // A later life drops the deltas that the old chain would need.
  catalog = await lab.open();
  volume = catalog.find('v');
  await writeBlock(volume, 2);
  await backUp(volume);
  await catalog.close();
  for (const copy of [atRest, inUse]) {
    cpSync(copy, statePath);
    const again = await lab.open();
    t.is(await plannedSince(again.find('v'), old), undefined, copy);
    await again.close();
  }

  // The same, while the live bits of a killed life lie there.
  catalog = await lab.open();
  await writeBlock(catalog.find('v'), 4);
  for (const copy of [atRest, inUse]) {
    cpSync(copy, statePath);
    const again = await lab.open();
    t.is(await plannedSince(again.find('v'), old), undefined, `${copy} and live bits`);
    await writeBlock(again.find('v'), 5);
  }
  t.true(readdirSync(path).includes('data'));
});

test('a record from earlier in the same life is noticed when it would miss bits', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const old = await backUp(volume);
  const copy = join(lab.stateDir, 'copy.json');
  cpSync(volume.directory.statePath, copy);
  await writeBlock(volume, 1);
  await backUp(volume);
  await writeBlock(volume, 2);
  cpSync(copy, volume.directory.statePath);
  const again = await lab.open();
  t.regex(lab.log, /"volume\.bits-lost".*"end":"rolled-back"/);
  t.is(await plannedSince(again.find('v'), old), undefined);
  await again.close();
});

test('a needed delta that is missing or damaged leads to a full', async (t) => {
  const lab = new DiskLab(t);
  let catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const tip = await backUp(volume);
  await writeBlock(volume, 1);
  await catalog.close();
  const [delta = ''] = readdirSync(volume.directory.path).filter((name) =>
    name.startsWith('delta-'),
  );
  const path = join(volume.directory.path, delta);
  const content = readFileSync(path);

  writeFileSync(path, Buffer.alloc(content.length, 0xff));
  catalog = await lab.open();
  let found = catalog.find('v');
  t.true(found.deltasCompleteSince(tip.baseEpoch));
  const error = await t.throwsAsync(found.freeze({ kind: 'incremental', base: tip }));
  t.like(error, { code: 'volume/bits-lost' });
  t.false(found.deltasCompleteSince(tip.baseEpoch));
  const fresh = await backUp(found);
  await writeBlock(found, 8);
  t.deepEqual(await plannedSince(found, fresh), [8]);
  await catalog.close();

  for (const name of readdirSync(volume.directory.path).filter((entry) =>
    entry.startsWith('delta-'),
  )) {
    rmSync(join(volume.directory.path, name));
  }
  catalog = await lab.open();
  found = catalog.find('v');
  t.is(await plannedSince(found, fresh), undefined);
  await catalog.close();
});

test('chains are committed even when their deltas cannot be tidied', async (t) => {
  const lab = new DiskLab(t);
  const native: NativeOverlay = loadNative();
  const mergeDeltas = () => Promise.reject(new Error('no space for this'));
  const stubborn = { ...native, mergeDeltas };
  const catalog = await lab.open({ native: stubborn });
  const volume = await catalog.create(newVolume(SIZE));
  const base = await backUp(volume, 'other');
  for (let round = 0; round < 12; round++) {
    await writeBlock(volume, round);
    const tip = await backUp(volume);
    t.deepEqual(volume.chainTip('r'), tip);
  }
  t.regex(lab.log, /volume\.deltas-not-tidied/);
  t.is((await plannedSince(volume, base))?.length, 12);
  await catalog.close();
});

test('a kill between the saved bits and the record of an orderly end loses nothing', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const tip = await backUp(volume);
  await writeBlock(volume, 1);
  const native = loadNative();
  const { epoch } = native.reportOverlay(await volume.open());
  await native.saveDelta(await volume.open(), volume.directory.deltaPath(epoch));
  await writeBlock(volume, 2);
  const again = await lab.open();
  t.deepEqual(await plannedSince(again.find('v'), tip), [1, 2]);
  await again.close();
});

test('a kill between the instant of a freeze and its saved bits loses nothing', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const tip = await backUp(volume);
  await writeBlock(volume, 1);
  const { session } = volume.file.current;
  const epoch = volume.report()?.epoch ?? 0;
  const live = volume.directory.liveDeltaPath(session, epoch);
  const copy = join(lab.stateDir, 'live-delta');
  cpSync(live, copy);
  const view = await volume.freeze(FULL);
  t.is(view.epoch, epoch);
  await writeBlock(volume, 2);
  // As it is before the sealed bits are on disk: two live deltas.
  cpSync(copy, live);
  rmSync(volume.directory.deltaPath(epoch));
  const again = await lab.open();
  t.deepEqual(await plannedSince(again.find('v'), tip), [1, 2]);
  await again.close();
});

test('an overlay that cannot be opened costs no bits, once it can be', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const tip = await backUp(volume);
  await writeBlock(volume, 1);
  await catalog.close();
  const full = Object.assign(new Error('create x: No space left'), { code: 'ENOSPC' });
  const native = { ...loadNative(), openOverlay: () => Promise.reject(full) };
  const failing = await lab.open({ native });
  const error = await t.throwsAsync(failing.find('v').open(), { code: 'volume/no-space' });
  t.is(error?.message, 'volume v could not be opened: there is no space left on this host');
  await failing.close();
  const again = await lab.open();
  t.deepEqual(await plannedSince(again.find('v'), tip), [1]);
  await again.close();
});

test('a data file of another size, or none, is refused in one sentence', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  await writeBlock(volume, 1);
  await catalog.create(newVolume(SIZE, BLOCK, 'sound'));
  // Killed, so that the next agent has to open it at once.
  truncateSync(volume.directory.dataPath, SIZE - BLOCK);
  let again = await lab.open();
  const cut = await t.throwsAsync(readAll(again.find('v')), { code: 'volume/corrupt' });
  t.is(cut?.message, `the data file of volume v has ${SIZE - BLOCK} bytes, not ${SIZE}`);
  t.regex(lab.log, /"volume\.not-opened"/);
  t.is((await readAll(again.find('sound'))).length, SIZE);
  await again.close();
  rmSync(volume.directory.dataPath);
  again = await lab.open();
  const missing = await t.throwsAsync(readAll(again.find('v')), { code: 'volume/corrupt' });
  t.is(missing?.message, 'the data file of volume v is missing');
  t.is((await again.find('v').inspect()).localBytes, 0);
  await again.close();
  t.false(readdirSync(volume.directory.path).includes('data'));
});

test('a volume that has ended says so, and stays ended', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const view = await volume.freeze(FULL);
  await catalog.close();
  await view.release();
  await volume.close();
  const uses = [
    () => readAll(volume),
    () => writeBlock(volume, 0),
    () => volume.freeze(FULL),
    () => volume.flush(),
  ];
  for (const use of uses) await t.throwsAsync(use(), { code: 'volume/closed' });
  t.is(volume.report(), undefined);
});
