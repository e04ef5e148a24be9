import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { loadNative } from '../../src/native.ts';
import type { Frontend } from '../../src/volume/frontend.ts';
import { BACKING, DiskLab, ImageSource, newVolume, readAll } from './disk-lab.ts';

const BLOCK = 4096;
const SIZE = BLOCK * 16;

const volumesOf = (lab: DiskLab) => readdirSync(join(lab.stateDir, 'volumes'));
const liveOf = (lab: DiskLab) => readdirSync(lab.liveDir);

test('a volume is found by name and id, and nothing else is', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create({ ...newVolume(SIZE), labels: { a: 'b' } });
  t.is(catalog.find('v'), volume);
  t.is(catalog.find(volume.id), volume);
  t.throws(() => catalog.find('w'), { code: 'volume/not-found' });
  await catalog.close();
  const again = await lab.open();
  t.deepEqual(again.find(volume.id).attributes, volume.attributes);
  t.deepEqual(liveOf(lab), [], 'a volume that nobody uses needs no bits');
  await again.close();
});

test('a name is given once, also to two who ask at the same time', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const made = await Promise.allSettled([
    catalog.create(newVolume(SIZE)),
    catalog.create(newVolume(SIZE)),
  ]);
  t.deepEqual(made.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  await t.throwsAsync(catalog.create(newVolume(SIZE)), { code: 'volume/exists' });
  await catalog.delete(catalog.find('v'));
  await catalog.create(newVolume(SIZE));
  await catalog.close();
});

test('an impossible shape is refused before anything is made', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  for (const [size, block] of [
    [SIZE + 1, BLOCK],
    [0, BLOCK],
    [SIZE, 1000],
    [SIZE, 2048],
    [2 ** 53, BLOCK],
  ] as const) {
    await t.throwsAsync(catalog.create(newVolume(size, block)), { code: 'volume/bad-size' });
  }
  t.deepEqual(volumesOf(lab), []);
  await catalog.close();
});

test('a volume that cannot be made leaves nothing, and its name is free', async (t) => {
  const lab = new DiskLab(t);
  const noFuse = new CloudvolError('host/no-fuse', 'this host has no usable /dev/fuse');
  const frontend: Frontend = {
    kind: 'broken',
    attach: () => Promise.reject(noFuse),
    cleanUp: () => Promise.resolve(),
  };
  const full = Object.assign(new Error('extend data: No space left on device'), { code: 'ENOSPC' });
  const native = { ...loadNative(), openOverlay: () => Promise.reject(full) };
  const catalog = await lab.open({ frontend });
  const broken = await lab.open({ native });
  await t.throwsAsync(catalog.create({ ...newVolume(SIZE), fileSystem: 'ext4' }), {
    code: 'host/no-fuse',
  });
  const error = await t.throwsAsync(broken.create(newVolume(SIZE)), { code: 'volume/no-space' });
  t.is(error?.message, 'volume v could not be opened: there is no space left on this host');
  const labels = { long: 'x'.repeat(2 << 20) };
  await t.throwsAsync(catalog.create({ ...newVolume(SIZE), labels }), {
    code: 'volume/bad-labels',
  });
  t.deepEqual(volumesOf(lab), []);
  t.deepEqual(liveOf(lab), []);
  t.is((await catalog.create(newVolume(SIZE))).attributes.name, 'v');
  await catalog.close();
});

test('a source stays its maker’s when its volume cannot be made', async (t) => {
  const lab = new DiskLab(t);
  const source = new ImageSource(new Uint8Array(SIZE), BLOCK);
  const native = { ...loadNative(), openOverlay: () => Promise.reject(new Error('no')) };
  const catalog = await lab.open({ native });
  await t.throwsAsync(catalog.createAbsent({ ...newVolume(SIZE), backing: BACKING, source }));
  t.false(source.isClosed);
  t.deepEqual(volumesOf(lab), []);
});

test('a deleted volume is gone, with its bits and its source', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const source = new ImageSource(new Uint8Array(SIZE), BLOCK);
  const volume = await catalog.createAbsent({ ...newVolume(SIZE), backing: BACKING, source });
  await volume.write(0, new Uint8Array(10));
  await catalog.delete(volume);
  t.true(source.isClosed);
  t.deepEqual(volumesOf(lab), []);
  t.deepEqual(liveOf(lab), []);
  t.throws(() => catalog.find('v'), { code: 'volume/not-found' });
  await t.throwsAsync(volume.write(0, new Uint8Array(10)), { code: 'volume/closed' });
  await catalog.close();
});

test('what was half made or half deleted is removed when the agent starts', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(SIZE));
  const kept = await catalog.create(newVolume(SIZE, BLOCK, 'kept'));
  await kept.write(0, new Uint8Array(SIZE).fill(1));
  // As a kill would leave them: half a deletion, half a creation, an empty folder.
  await volume.directory.markDeleted();
  const half = await catalog.create(newVolume(SIZE, BLOCK, 'half'));
  await half.file.update(() => ({ phase: 'creating' }));
  mkdirSync(join(lab.stateDir, 'volumes', '12345'));
  writeFileSync(join(lab.stateDir, 'volumes', '12345', '.volume.json.ab.tmp'), '{');
  for (const name of ['.volume.json.0a.tmp', 'delta-7.new', 'view-3']) {
    writeFileSync(join(kept.directory.path, name), 'x');
  }
  const again = await lab.open();
  t.deepEqual(volumesOf(lab), [kept.id]);
  t.deepEqual(liveOf(lab), [kept.id]);
  t.deepEqual(readdirSync(kept.directory.path).toSorted(), ['data', 'volume.json']);
  t.true((await readAll(again.find('kept'))).every((byte) => byte === 1));
  await again.close();
});

test('a record that cannot be used takes one volume out of service, not its data', async (t) => {
  const lab = new DiskLab(t);
  let catalog = await lab.open();
  const damages: Record<string, (statePath: string, other: string) => void> = {
    altered: (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('4096', '8192')),
    empty: (path) => writeFileSync(path, ''),
    missing: (path) => rmSync(path),
    huge: (path) => writeFileSync(path, Buffer.alloc(2 << 20, 0x20)),
    another: (path, other) => cpSync(other, path),
  };
  const sound = await catalog.create(newVolume(SIZE, BLOCK, 'sound'));
  for (const name of Object.keys(damages)) {
    const volume = await catalog.create(newVolume(SIZE, BLOCK, name));
    await volume.write(0, new Uint8Array(SIZE).fill(7));
  }
  const directories = Object.fromEntries(
    catalog.list().map(({ attributes, directory }) => [attributes.name, directory]),
  );
  await catalog.close();
  for (const [name, damage] of Object.entries(damages)) {
    damage(directories[name]?.statePath ?? '', sound.directory.statePath);
  }
  catalog = await lab.open();
  t.deepEqual(
    catalog.list().map(({ attributes }) => attributes.name),
    ['sound'],
  );
  t.is(lab.log.match(/"volume\.not-loaded"/g)?.length, Object.keys(damages).length);
  for (const name of Object.keys(damages)) {
    t.regex(lab.log, new RegExp(`${directories[name]?.statePath}.* cannot be used: `), name);
  }
  // The name is free again, the folder is not.
  const other = await catalog.create(newVolume(SIZE, BLOCK, 'altered'));
  await catalog.delete(other);
  await catalog.close();
  for (const name of Object.keys(damages)) {
    const data = readFileSync(directories[name]?.dataPath ?? '');
    t.true(data.length === SIZE && data.every((byte) => byte === 7), name);
  }
});

test('an orderly end leaves the live bits of a volume that could not be loaded', async (t) => {
  const lab = new DiskLab(t);
  const killed = await lab.open();
  const volume = await killed.create(newVolume(SIZE));
  await volume.write(0, new Uint8Array(10));
  const record = readFileSync(volume.directory.statePath);
  rmSync(volume.directory.statePath);
  await (await lab.open()).close();
  writeFileSync(volume.directory.statePath, record);
  const again = await lab.open();
  t.is(again.find('v').file.current.bitsLostBefore, 0);
  t.is((await again.find('v').inspect()).dirtyBlocks, 1);
  await again.close();
  t.false(existsSync(lab.liveDir));
});

test('every volume is closed, whatever happens to one of them', async (t) => {
  const lab = new DiskLab(t);
  const native = loadNative();
  let failing = false;
  const saveDelta: typeof native.saveDelta = (overlay, path) =>
    failing && path.includes(first.id)
      ? Promise.reject(Object.assign(new Error('write: No space left'), { code: 'ENOSPC' }))
      : native.saveDelta(overlay, path);
  const catalog = await lab.open({ native: { ...native, saveDelta } });
  const first = await catalog.create(newVolume(SIZE, BLOCK, 'first'));
  const second = await catalog.create(newVolume(SIZE, BLOCK, 'second'));
  for (const volume of [first, second]) await volume.write(0, new Uint8Array(10));
  failing = true;
  const error = await t.throwsAsync(catalog.close(), { code: 'volume/no-space' });
  t.is(error?.message, 'volume first could not be closed: there is no space left on this host');
  t.false(second.file.current.inUse);
  t.true(first.file.current.inUse);
  // As after a kill: its bits are live ones.
  const again = await lab.open();
  t.is((await again.find('first').inspect()).dirtyBlocks, 1);
  await again.close();
});
