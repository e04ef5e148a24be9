import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { geometryOf } from '../../src/base/geometry.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { hydrate } from '../../src/restore/hydrate.ts';
import { MetricsStore } from '../../src/store/layers/metrics.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { Lab } from '../model/lab.ts';
import { changeAtRandom, changeManyAtRandom } from '../model/random-changes.ts';
import { RecordingTask } from '../model/recording-task.ts';

const BLOCK = 4096;
const random = seededRandom(20240101);
const blocks = (count: number) => random.bytes(count * BLOCK);
/** Two read-ahead batches and a bit. */
const threeBatches = geometryOf(2500 * BLOCK, BLOCK);

test('a backup reports kind, blocks, bytes and times, and progress in bytes', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  lab.volume.write(20, new Uint8Array(5 * BLOCK));
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.like(task.results, {
    kind: 'full',
    fullReason: 'first',
    plannedBlocks: 15,
    zeroBlocks: 5,
    unchangedBlocks: 0,
    uploadedBlocks: 10,
    changedBytes: 15 * BLOCK,
    uploadedBytes: 10 * BLOCK,
  });
  t.true(Number(task.results['storedBytes']) > 0);
  for (const phase of ['plan', 'freeze', 'begin', 'copy', 'commit', 'chain']) {
    t.is(typeof task.results[`${phase}Ms`], 'number');
  }
  t.like(task.progressed[0], { bytesTotal: 15 * BLOCK, bytesDone: 0 });
  t.is(task.progressed[0]?.cloudsnapId, entry.manifest.cloudsnapId);
  t.is(task.progressed.at(-1)?.bytesDone, 15 * BLOCK);
  t.deepEqual(task.notes, [
    'This cloudsnap is a full one because it is the first of this volume here.',
  ]);
});

test('the manifest says what the volume was, when, and how it was taken', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(1));
  const { manifest } = await lab.backup({ type: 'Daily', consistency: 'file-system' });
  t.like(manifest, {
    type: 'Daily',
    consistency: 'file-system',
    fullReason: 'first',
    parent: null,
  });
  t.like(manifest.volume, { id: lab.volume.id, name: 'v', fileSystem: 'none', labels: { a: 'b' } });
  t.is(manifest.createdMs, 1_700_000_000_000 + 1);
});

test('the next incremental holds what changed since, and names its parent', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  const full = await lab.backup();
  lab.volume.write(3, blocks(2));
  const task = new RecordingTask();
  const { manifest } = await lab.backup({}, task);
  t.like(task.results, { kind: 'incremental', plannedBlocks: 2, uploadedBlocks: 2 });
  t.deepEqual(manifest.parent, {
    cloudsnapId: full.manifest.cloudsnapId,
    manifestSha256: full.manifestSha256,
  });
  t.true(manifest.cloudsnapId.endsWith('-incr'));
  t.deepEqual(task.notes, []);
});

test('dirty blocks whose content did not change, and zero blocks, are not uploaded', async (t) => {
  const lab = await Lab.open();
  const content = blocks(10);
  lab.volume.write(0, content);
  await lab.backup();
  lab.volume.write(0, content.subarray(0, 6 * BLOCK));
  lab.volume.write(8, new Uint8Array(2 * BLOCK));
  lab.volume.trim({ firstBlock: 30, blockCount: 4 });
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.like(task.results, {
    plannedBlocks: 12,
    unchangedBlocks: 6,
    uploadedBlocks: 0,
    uploadedBytes: 0,
    changedBytes: 12 * BLOCK,
    packs: 0,
  });
  t.deepEqual(await lab.wrongBlocks(entry), []);
});

test('a cloudsnap of a volume that did not change is empty and restores the same', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  await lab.backup();
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.like(task.results, { kind: 'incremental', plannedBlocks: 0, packs: 0 });
  t.deepEqual(await lab.wrongBlocks(entry), []);
});

test('an empty volume has a cloudsnap, too', async (t) => {
  const lab = await Lab.open();
  t.deepEqual(await lab.wrongBlocks(await lab.backup()), []);
});

test('frozen-is-immutable: changes during a backup are not in it, but in the next', async (t) => {
  const seed = 5;
  t.log(`seed ${seed}`);
  const during = seededRandom(seed);
  const lab = await Lab.open({ geometry: threeBatches });
  for (let round = 0; round < 3; round++) {
    changeManyAtRandom(lab.volume, during, 600);
    let frozen = false;
    lab.onStep = (name) => {
      frozen ||= name === 'readBlocks';
      if (frozen) changeAtRandom(lab.volume, during);
    };
    const entry = await lab.backup();
    lab.onStep = () => {};
    t.deepEqual(await lab.wrongBlocks(entry), []);
    t.not(Buffer.compare(lab.images.get(entry.manifest.cloudsnapId)!, lab.volume.truth), 0);
  }
});

test('a volume that is larger than the read-ahead buffers is copied whole', async (t) => {
  const lab = await Lab.open({ geometry: threeBatches });
  lab.volume.write(0, blocks(threeBatches.blockCount));
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.deepEqual(await lab.wrongBlocks(entry), []);
  t.is(task.progressed.at(-1)?.bytesDone, threeBatches.sizeBytes);
});

test('no view stays open, whether the backup succeeds, fails or is stopped', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  await lab.backup();
  t.is(lab.volume.openViews, 0);
  lab.onStep = (name) => {
    if (name === 'readBlocks') throw new Error('the disk is broken');
  };
  lab.volume.write(0, blocks(1));
  await t.throwsAsync(lab.backup(), { message: 'the disk is broken' });
  t.is(lab.volume.openViews, 0);
});

test('the task reports what went wrong first, not what went wrong while tidying up', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  let broken = false;
  lab.onStep = (name) => {
    if (name === 'readBlocks') broken = true;
    if (broken) throw new Error(`broken at ${name}`);
  };
  await t.throwsAsync(lab.backup(), { message: 'broken at readBlocks' });
});

test('a view that cannot be released does not undo a cloudsnap that was made', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  const logged: string[] = [];
  lab.onStep = (name) => {
    if (name === 'release') throw new Error('cannot be released');
  };
  const log = { ...silentLog, error: (event: string) => logged.push(event) };
  const entry = await lab.backup({ log });
  t.is(lab.volume.chainTip(lab.repository.id)?.cloudsnapId, entry.manifest.cloudsnapId);
  t.deepEqual(logged, ['backup.view-not-released']);
});

test('a stop ends the backup and leaves chain and dirty bits as they were', async (t) => {
  const stopAt = ['list ', 'freeze', 'readBlocks', 'put ', 'recordPendingCommit done'];
  for (const step of stopAt) {
    const lab = await Lab.open();
    lab.volume.write(0, blocks(10));
    const full = await lab.backup();
    lab.volume.write(5, blocks(10));
    const task = new RecordingTask();
    lab.onStep = (name) => {
      if (name.startsWith(step))
        task.stop(new CloudvolError('task/stopped', 'stopped by the test'));
    };
    await t.throwsAsync(lab.backup({}, task), { code: 'task/stopped' }, step);
    lab.onStep = () => {};
    t.is(lab.volume.openViews, 0, step);
    t.is(lab.volume.chainTip(lab.repository.id)?.cloudsnapId, full.manifest.cloudsnapId, step);
    t.is((await lab.visible()).length, 1, step);
    t.deepEqual(await lab.wrongBlocks(await lab.backup()), [], step);
  }
});

test('a stop after the manifest was put comes too late: the chain goes on', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  const task = new RecordingTask();
  lab.onStep = (name) => {
    if (name === 'commitChain') task.stop(new CloudvolError('task/stopped', 'stopped by the test'));
  };
  const entry = await lab.backup({}, task);
  t.is(lab.volume.chainTip(lab.repository.id)?.cloudsnapId, entry.manifest.cloudsnapId);
});

test('chains belong to a repository: two of them do not disturb each other', async (t) => {
  const lab = await Lab.open({ disks: [new MemoryStore(), new MemoryStore()] });
  const other = lab.repositoryAt(1);
  const kinds: string[] = [];
  for (let round = 0; round < 6; round++) {
    changeManyAtRandom(lab.volume, random, 4);
    const repository = round % 3 === 0 ? other : lab.repository;
    const entry = await lab.backup({ repository });
    kinds.push(entry.manifest.parent ? 'i' : 'F');
    t.deepEqual(await lab.wrongBlocks(entry, repository), []);
  }
  t.is(kinds.join(''), 'FFiiii');
});

test('a power cut makes the next cloudsnap a full one, which restores equal', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  await lab.backup();
  lab.volume.write(3, blocks(4));
  await lab.restart('power-cut');
  const task = new RecordingTask();
  const entry = await lab.backup({}, task);
  t.is(task.results['fullReason'], 'bits-lost');
  t.deepEqual(await lab.wrongBlocks(entry), []);
  lab.volume.write(1, blocks(1));
  t.is((await lab.backup()).manifest.incrementals, 1);
});

test('after the newest cloudsnap was deleted the next one is full', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(10));
  await lab.backup();
  lab.volume.write(3, blocks(4));
  await lab.repository.delete(await lab.backup());
  lab.volume.write(8, blocks(4));
  const entry = await lab.backup();
  t.is(entry.manifest.fullReason, 'parent-missing');
  t.deepEqual(await lab.wrongBlocks(entry), []);
});

test('a half-hydrated volume is backed up whole, absent blocks from its source', async (t) => {
  const lab = await Lab.open();
  lab.volume.write(0, blocks(40));
  const original = await lab.backup();
  lab.restoreLazily({ entry: original, repositoryIndex: 0 });
  const lazy = lab.volume;
  await lazy.read({ firstBlock: 4, blockCount: 9 });
  lazy.write(30, blocks(5));
  lazy.trim({ firstBlock: 20, blockCount: 3 });
  // Absent blocks are overwritten and filled while the view of the backup is open.
  lab.onStep = (name) => {
    if (name !== 'readAbsent' || lazy.absentBlocks === 0) return;
    lab.onStep = () => {};
    lazy.write(0, blocks(2));
    lazy.write(38, blocks(2));
  };
  const absentBefore = lazy.absentBlocks;
  const full = await lab.backup();
  t.true(absentBefore > 0 && lazy.absentBlocks > 0);
  t.deepEqual(await lab.wrongBlocks(full), []);
  const incremental = await lab.backup();
  t.is(incremental.manifest.statistics.plannedBlocks, 4);
  t.deepEqual(await lab.wrongBlocks(incremental), []);
  await hydrate(lazy, lab.source!, {}, new RecordingTask());
  t.is(Buffer.compare(lazy.localImage, lazy.truth), 0);
  const hydrated = await lab.backup();
  t.is(hydrated.manifest.statistics.plannedBlocks, 0, 'hydration is no change');
  t.deepEqual(await lab.wrongBlocks(hydrated), []);
});

test('the cost of an incremental grows with what changed, not with the volume', async (t) => {
  const costs: number[] = [];
  for (const blockCount of [256, 4096]) {
    let metrics: MetricsStore | undefined;
    const lab = await Lab.open({
      geometry: geometryOf(blockCount * BLOCK, BLOCK),
      wrap: (store) => (metrics = new MetricsStore(store)),
    });
    lab.volume.write(0, blocks(blockCount));
    await lab.backup();
    lab.volume.write(7, blocks(1));
    const before = metrics!.snapshot();
    const task = new RecordingTask();
    await lab.backup({}, task);
    const { requests, bytesUp } = metrics!.snapshot();
    costs.push(requests.put + requests.get - before.requests.put - before.requests.get);
    t.is(task.results['uploadedBytes'], BLOCK);
    t.true(bytesUp - before.bytesUp < 20 * BLOCK, `${bytesUp - before.bytesUp} bytes went up`);
  }
  t.is(costs[0], costs[1]);
});
