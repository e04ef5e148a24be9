import { copyFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { FaultStore } from '../../src/store/layers/faults.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { Lab } from '../model/lab.ts';
import { changeManyAtRandom } from '../model/random-changes.ts';
import { RecordingTask } from '../model/recording-task.ts';

const BLOCK = 4096;
/** Four blocks of noise in a pack. */
const PACK_BYTES = 4 * BLOCK;
/** More requests than a backup of this size makes. */
const ENOUGH = 500;
const SEED = 7;

const noise = (count: number, seed: number) => seededRandom(seed).bytes(count * BLOCK);

/** Packs that have arrived in the store, by key. */
const isPack = (key: string) => key.includes('/pack-');
async function packsIn(disk: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of disk.list('')) if (isPack(key)) keys.push(key);
  return keys;
}

/** A backup that is killed when so many packs have been acknowledged; the process is restarted. */
async function cutOff(lab: Lab, afterPacks: number): Promise<void> {
  let left = afterPacks;
  lab.onStep = (name) => {
    if (name.startsWith('put ') && isPack(name) && !name.endsWith(' done') && left-- === 0) {
      lab.kill();
    }
  };
  const outcome = await lab.backup().then(
    () => 'done',
    () => 'killed',
  );
  if (outcome === 'done') throw new Error('the backup was not cut off');
  lab.onStep = () => {};
  await lab.restart();
}

async function withFull(options: { disks?: readonly ObjectStore[] } = {}): Promise<Lab> {
  const lab = await Lab.open({ packTargetBytes: PACK_BYTES, ...options });
  lab.volume.write(0, noise(40, 1));
  return lab;
}

test('a backup that was killed goes on with what has arrived, under the same id', async (t) => {
  const lab = await withFull();
  await cutOff(lab, 6);
  const before = await packsIn(lab.disks[0]!);
  t.true(before.length > 0);
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  const { statistics, cloudsnapId, root } = entry.manifest;
  t.true(before.every((key) => key.startsWith(`${cloudsnapId}/`)));
  t.is(root.object, 'root-1');
  t.is(statistics.uploadedBlocks, 40);
  t.true(Number(task.results['reusedBlocks']) >= 4 * (before.length - 1));
  t.is(
    Number(task.results['reusedBytes']) + Number(task.results['uploadedBytes']),
    statistics.uploadedPlainBytes,
  );
  t.true(task.notes.some((note) => /^Went on with .* uploaded earlier\.$/.test(note)));
  t.deepEqual(await lab.wrongBlocks(entry), []);
  let stored = 0;
  for await (const { sizeBytes } of lab.disks[0]!.list(`${cloudsnapId}/`)) stored += sizeBytes;
  t.is(statistics.storedBytes, stored, 'the statistics say what the bucket holds');
});

test('killed at any step and gone on: right bytes, and no acknowledged pack twice', async (t) => {
  t.log(`seed ${SEED}`);
  let finished = false;
  let resumed = 0;
  for (let nth = 1; nth < ENOUGH && !finished; nth++) {
    const random = seededRandom(SEED);
    const lab = await Lab.open({ packTargetBytes: PACK_BYTES });
    lab.volume.write(0, noise(30, 2));
    const full = await lab.backup();
    lab.volume.write(4, noise(20, 3));
    let stepsLeft = nth;
    lab.onStep = () => {
      if (--stepsLeft === 0) lab.kill();
    };
    const outcome = await lab.backup().then(
      () => 'done',
      () => 'killed',
    );
    finished = outcome === 'done' && stepsLeft > 0;
    lab.onStep = () => {};
    await lab.restart();
    const published = (await lab.visible()).length === 2;
    let puts = 0;
    lab.onStep = (name) => {
      if (name.startsWith('put ') && isPack(name) && name.endsWith(' done')) puts++;
    };
    const task = new RecordingTask();
    const next = await lab.backup({}, task);
    lab.onStep = () => {};
    const reused = Number(task.results['reusedBlocks'] ?? 0);
    if (reused > 0) resumed++;
    t.true(next.manifest.parent !== null, `a full one after step ${nth}`);
    if (!published) {
      t.is(next.manifest.parent?.cloudsnapId, full.manifest.cloudsnapId, `step ${nth}`);
      const { uploadedBlocks } = next.manifest.statistics;
      t.is(uploadedBlocks, 20, `step ${nth}`);
      t.true(puts <= Math.ceil((uploadedBlocks - reused) / 4) + 1, `${puts} puts, step ${nth}`);
    }
    changeManyAtRandom(lab.volume, random, 10);
    await lab.backup();
    for (const entry of await lab.visible()) {
      t.deepEqual(await lab.wrongBlocks(entry), [], `killed at step ${nth}`);
    }
  }
  t.true(finished, 'every step was reached');
  t.true(resumed > 10, `only ${resumed} went on`);
});

test('what changed between the cut and the next backup is what the next one holds', async (t) => {
  const lab = await Lab.open({ packTargetBytes: PACK_BYTES });
  lab.volume.write(0, noise(40, 1));
  await lab.backup();
  const old = noise(40, 1);
  lab.volume.write(0, noise(24, 4));
  await cutOff(lab, 5);
  lab.volume.write(0, noise(2, 5));
  lab.volume.trim({ firstBlock: 2, blockCount: 2 });
  // Back to what the parent has: nothing to upload, whatever the journal holds.
  lab.volume.write(4, old.slice(4 * BLOCK, 6 * BLOCK));
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.true(Number(task.results['reusedBlocks']) > 0);
  t.like(entry.manifest.statistics, { zeroBlocks: 2, unchangedBlocks: 2, uploadedBlocks: 20 });
  t.deepEqual(await lab.wrongBlocks(entry), []);
});

test('a block that was changed and changed back is found in the older pack', async (t) => {
  const lab = await withFull();
  const first = noise(40, 1);
  await cutOff(lab, 6);
  lab.volume.write(0, noise(8, 6));
  await cutOff(lab, 2);
  lab.volume.write(0, first.slice(0, 8 * BLOCK));
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.true(Number(task.results['reusedBlocks']) >= 8);
  t.is(entry.manifest.root.object, 'root-2');
  t.deepEqual(await lab.wrongBlocks(entry), []);
});

test('a stopped backup keeps what has arrived, says so, and leaves chain and bits', async (t) => {
  const lab = await withFull();
  const task = new RecordingTask();
  let packs = 0;
  lab.onStep = (name) => {
    const isDone = name.startsWith('put ') && isPack(name) && name.endsWith(' done');
    if (isDone && ++packs === 3) task.stop(new CloudvolError('task/stopped', 'stopped'));
  };
  await t.throwsAsync(lab.backup({}, task), { code: 'task/stopped' });
  lab.onStep = () => {};
  t.true(task.notes.some((note) => note.includes('the next backup of the volume goes on')));
  t.is(lab.volume.chainTip(lab.repository.id), undefined);
  const next = new RecordingTask();
  t.deepEqual(await lab.wrongBlocks(await lab.backup({}, next)), []);
  t.true(Number(next.results['reusedBlocks']) > 0);
});

test('a network that is lost for good costs what was under way only', async (t) => {
  let isLost = false;
  const lab = await Lab.open({
    packTargetBytes: PACK_BYTES,
    wrap: (store) =>
      new FaultStore(store, {
        clock: { nowMs: () => 0, sleep: async () => {} },
        plan: () => ({ kind: isLost ? 'error' : 'none' }),
      }),
  });
  lab.volume.write(0, noise(40, 1));
  let packs = 0;
  lab.onStep = (name) => {
    isLost ||= name.startsWith('put ') && isPack(name) && name.endsWith(' done') && ++packs === 7;
  };
  await t.throwsAsync(lab.backup(), { code: 'store/unavailable' });
  lab.onStep = () => {};
  isLost = false;
  const task = new RecordingTask();
  t.deepEqual(await lab.wrongBlocks(await lab.backup({}, task)), []);
  t.true(Number(task.results['reusedBlocks']) >= 6 * 4 - 4);
});

const MISFITS: readonly (readonly [what: string, change: (lab: Lab) => Promise<void>, RegExp])[] = [
  [
    'a pack is gone',
    async (lab) => lab.disks[0]!.delete((await packsIn(lab.disks[0]!)).slice(0, 1)),
    /no longer there/,
  ],
  [
    '`open` is gone',
    async (lab) => {
      const [pack = ''] = await packsIn(lab.disks[0]!);
      await lab.disks[0]!.delete([pack.replace(/pack-.*/, 'open')]);
    },
    /no longer there/,
  ],
  [
    'its number is taken',
    async (lab) => {
      const [pack = ''] = await packsIn(lab.disks[0]!);
      const [cluster = '', name = ''] = pack.split('/');
      const volume = name.split('-')[0];
      await lab.disks[0]!.put(
        `${cluster}/manifests/${volume}/0000000001.deleted`,
        Buffer.from('{}'),
      );
    },
    /its number is taken/,
  ],
];

for (const [what, change, reason] of MISFITS) {
  test(`a backup begins anew, and says why, when ${what}`, async (t) => {
    const lab = await withFull();
    await cutOff(lab, 5);
    await change(lab);
    const task = new RecordingTask();
    const entry = await lab.backup({}, task);
    t.true(
      task.notes.some((note) => reason.test(note)),
      task.notes.join('; '),
    );
    t.is(task.results['reusedBlocks'], undefined);
    t.is(entry.manifest.root.object, 'root');
    t.deepEqual(await lab.wrongBlocks(entry), []);
  });
}

test('the journal of another repository is of no use', async (t) => {
  const lab = await withFull({ disks: [new MemoryStore(), new MemoryStore()] });
  await cutOff(lab, 5);
  const [here, other] = [lab.repository, lab.repositoryAt(1)];
  t.not(here.id, other.id);
  const to = lab.volume.uploadJournalPath(other.id);
  await mkdir(dirname(to), { recursive: true });
  await copyFile(lab.volume.uploadJournalPath(here.id), to);
  const task = new RecordingTask();
  const entry = await lab.backup({ repository: other }, task);
  t.true(task.notes.some((note) => note.includes('it is of another repository')));
  t.is(task.results['reusedBlocks'], undefined);
  t.deepEqual(await lab.wrongBlocks(entry, other), []);
});

test('a state directory that was rolled back to an older journal does no harm', async (t) => {
  const lab = await withFull();
  await cutOff(lab, 3);
  const path = lab.volume.uploadJournalPath(lab.repository.id);
  await copyFile(path, `${path}.old`);
  await cutOff(lab, 3);
  await copyFile(`${path}.old`, path);
  const entry = await lab.backup();
  t.deepEqual(await lab.wrongBlocks(entry), []);
  // Once more, when all is committed.
  await copyFile(`${path}.old`, path);
  lab.volume.write(3, noise(9, 8));
  const task = new RecordingTask();
  const next = await lab.backup({}, task);
  t.is(task.results['reusedBlocks'], undefined);
  t.deepEqual(await lab.wrongBlocks(next), []);
  t.deepEqual(await lab.wrongBlocks(entry), []);
});
