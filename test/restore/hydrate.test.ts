import test from 'ava';
import { geometryOf } from '../../src/base/geometry.ts';
import { newVolumeId } from '../../src/base/ids.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { hydrate } from '../../src/restore/hydrate.ts';
import type { BackingSource, FetchedRun } from '../../src/volume/backing-source.ts';
import type { HydrationTarget } from '../../src/volume/volume-api.ts';
import { differingBlocks } from '../model/differing-blocks.ts';
import { ModelVolume } from '../model/model-volume.ts';
import { RecordingTask } from '../model/recording-task.ts';

const geometry = geometryOf(32 << 20, 64 << 10);
const attributes = { name: 'v', geometry, fileSystem: 'none', labels: {} } as const;

const zeros = new Uint8Array(4 << 20);

/** Serves an image; every other 8 MiB of it are zero. `onRead` may wait, or fail. */
function imageSource(seed: number) {
  const image = new Uint8Array(
    Buffer.alloc(geometry.sizeBytes, seededRandom(seed).bytes(geometry.blockBytes + 1)),
  );
  for (let offset = 0; offset < image.length; offset += 16 << 20) {
    image.fill(0, offset, offset + (8 << 20));
  }
  const served = { underWay: 0, most: 0, calls: 0 };
  const source: BackingSource & { onRead: (call: number) => Promise<void> } = {
    onRead: async () => {},
    async readBlocks({ firstBlock, blockCount }): Promise<readonly FetchedRun[]> {
      served.most = Math.max(served.most, ++served.underWay);
      try {
        await source.onRead(++served.calls);
        await new Promise(setImmediate);
      } finally {
        served.underWay--;
      }
      const data = Buffer.from(
        image.slice(
          firstBlock * geometry.blockBytes,
          (firstBlock + blockCount) * geometry.blockBytes,
        ),
      );
      return [
        data.equals(zeros.subarray(0, data.length))
          ? { firstBlock, blockCount }
          : { firstBlock, blockCount, data },
      ];
    },
    close: async () => {},
  };
  return { image, source, served };
}

test('hydrate fills every absent block, a few pieces at a time, and reports its way', async (t) => {
  const { image, source, served } = imageSource(1);
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  const task = new RecordingTask();
  await hydrate(volume, source, { concurrency: 3 }, task);
  t.deepEqual(differingBlocks(volume.localImage, image, geometry.blockBytes), []);
  t.is(served.most, 3);
  t.is(served.calls, 8);
  const done = task.progressed.map((update) => update.bytesDone ?? -1);
  t.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  );
  t.deepEqual(task.progressed.at(-1), { bytesTotal: 32 << 20, bytesDone: 32 << 20 });
  t.deepEqual(task.results, { hydratedBytes: 32 << 20, zeroBytes: 16 << 20 });
});

test('populate never overwrites: what is written during hydration stays', async (t) => {
  const seed = 11;
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const { image, source } = imageSource(seed);
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  // Writes land while every piece is on its way: ahead of it, in it and behind it.
  source.onRead = async () => {
    for (let i = 0; i < 30; i++) {
      const firstBlock = random.below(geometry.blockCount - 4);
      if (random.chance(0.3)) volume.trim({ firstBlock, blockCount: 1 + random.below(4) });
      else volume.write(firstBlock, random.bytes(geometry.blockBytes * (1 + random.below(4))));
    }
  };
  await hydrate(volume, source, {}, new RecordingTask());
  t.deepEqual(differingBlocks(volume.localImage, volume.truth, geometry.blockBytes), []);
  t.not(differingBlocks(volume.truth, image, geometry.blockBytes).length, 0);
});

test('demand reads go on beside hydration and see the right bytes', async (t) => {
  const { image, source } = imageSource(3);
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  const reads: Promise<boolean>[] = [];
  source.onRead = async (call) => {
    if (call > 20) return;
    const extent = { firstBlock: (call * 37) % 500, blockCount: 9 };
    reads.push(
      volume
        .read(extent)
        .then(
          (bytes) =>
            Buffer.compare(
              bytes,
              image.subarray(
                extent.firstBlock * geometry.blockBytes,
                (extent.firstBlock + extent.blockCount) * geometry.blockBytes,
              ),
            ) === 0,
        ),
    );
  };
  await hydrate(volume, source, {}, new RecordingTask());
  t.true(reads.length > 0);
  t.true((await Promise.all(reads)).every(Boolean));
});

test('a stop ends hydration with its reason; the next one goes on where it ended', async (t) => {
  const { image, source, served } = imageSource(4);
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  const stopped = new RecordingTask();
  source.onRead = async (call) => {
    if (call === 4) stopped.stop(new Error('stopped by the test'));
  };
  await t.throwsAsync(hydrate(volume, source, { concurrency: 1 }, stopped), {
    message: 'stopped by the test',
  });
  const left = volume.absentBlocks;
  t.true(left > 0 && left < geometry.blockCount);
  const callsBefore = served.calls;
  const again = new RecordingTask();
  await hydrate(volume, source, {}, again);
  t.deepEqual(differingBlocks(volume.localImage, image, geometry.blockBytes), []);
  t.is(served.calls - callsBefore, left / 64);
  t.is(again.progressed[0]?.bytesTotal, left * geometry.blockBytes);
});

test('a failed piece ends hydration at once, and nothing is under way any more', async (t) => {
  const { image, source, served } = imageSource(5);
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  const failing: BackingSource = {
    ...source,
    readBlocks: async (extent, { priority, signal }) => {
      t.is(priority, 'background');
      if (extent.firstBlock === 128) throw new Error('broken piece');
      if (extent.firstBlock === 64) {
        await new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      }
      return await source.readBlocks(extent, { priority });
    },
  };
  const hydrating = hydrate(volume, failing, { concurrency: 4 }, new RecordingTask());
  await t.throwsAsync(hydrating, { message: 'broken piece' });
  t.is(served.underWay, 0);
  t.true(volume.absentBlocks > 0);
});

test('what becomes known as absent only later is filled before hydration ends', async (t) => {
  const { image, source } = imageSource(6);
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  let rounds = 0;
  // A target whose first snapshots leave something out.
  const forgetful = {
    get id() {
      return volume.id;
    },
    get geometry() {
      return volume.geometry;
    },
    get absentBlocks() {
      return volume.absentBlocks;
    },
    absentExtents: (max: number) =>
      Iterator.from(volume.absentExtents(max)).drop(rounds++ < 1 ? 3 : 0),
    populate: (run: FetchedRun) => volume.populate(run),
    completeHydration: () => volume.completeHydration(),
  } as HydrationTarget;
  await hydrate(forgetful, source, {}, new RecordingTask());
  t.is(volume.absentBlocks, 0);
  t.is(rounds, 2);
});

test('a volume that counts absent blocks but names none is an error', async (t) => {
  const { image, source } = imageSource(7);
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  const broken = {
    id: volume.id,
    geometry,
    absentBlocks: 5,
    absentExtents: () => [],
    populate: async () => {},
    completeHydration: async () => {},
  } as HydrationTarget;
  await t.throwsAsync(hydrate(broken, source, {}, new RecordingTask()), {
    code: 'restore/no-progress',
  });
});

test('a volume that holds everything is completed without a request', async (t) => {
  const { source, served } = imageSource(8);
  const volume = ModelVolume.create(newVolumeId(), attributes);
  await hydrate(volume, source, {}, new RecordingTask());
  t.is(served.calls, 0);
});
