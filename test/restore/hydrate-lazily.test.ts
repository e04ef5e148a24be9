import test from 'ava';
import { CloudvolError } from '../../src/base/errors.ts';
import { geometryOf } from '../../src/base/geometry.ts';
import { newVolumeId } from '../../src/base/ids.ts';
import { hydrateLazily } from '../../src/restore/hydrate-lazily.ts';
import type { BackingSource } from '../../src/volume/backing-source.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { ModelVolume } from '../model/model-volume.ts';
import { RecordingTask } from '../model/recording-task.ts';

const geometry = geometryOf(32 << 20, 64 << 10);
const attributes = { name: 'v', geometry, fileSystem: 'none', labels: {} } as const;
const MIB = 1 << 20;

function lab(fail: (call: number) => Error | undefined = () => undefined) {
  const image = new Uint8Array(geometry.sizeBytes).fill(7);
  let calls = 0;
  const source: BackingSource = {
    async readBlocks({ firstBlock, blockCount }) {
      const error = fail(++calls);
      if (error) throw error;
      const { blockBytes } = geometry;
      const data = image.subarray(firstBlock * blockBytes, (firstBlock + blockCount) * blockBytes);
      return [{ firstBlock, blockCount, data }];
    },
    close: async () => {},
  };
  const volume = ModelVolume.createAbsent(newVolumeId(), attributes, image, source);
  return { volume, source, clock: new ManualClock(), task: new RecordingTask() };
}

const away = () => new CloudvolError('store/unavailable', 'the store does not answer');

test('hydration waits for a store that is away, says so once, and goes on', async (t) => {
  const { volume, source, clock, task } = lab((call) => (call <= 20 ? away() : undefined));
  const done = hydrateLazily(volume, source, clock, task);
  let isDone = false;
  void done.then(() => (isDone = true));
  while (!isDone) {
    await new Promise(setImmediate);
    if (clock.sleeping > 0) await clock.advance(10_000);
  }
  t.is(volume.absentBlocks, 0);
  t.deepEqual(task.notes, [
    'waits until the store answers again: the store does not answer',
    'the volume holds all of its blocks and needs the cloud no more',
  ]);
});

test('what the store holds wrongly ends a hydration', async (t) => {
  const corrupt = new CloudvolError('cloudsnap/corrupt', 'block 3 is not what it was');
  const { volume, source, clock, task } = lab(() => corrupt);
  await t.throwsAsync(hydrateLazily(volume, source, clock, task), { code: 'cloudsnap/corrupt' });
});

test('a hydration that waits for its store can be stopped', async (t) => {
  const { volume, source, clock, task } = lab(away);
  const done = hydrateLazily(volume, source, clock, task);
  await clock.untilSleeping();
  task.stop(new Error('stopped'));
  await t.throwsAsync(done, { message: 'stopped' });
  t.is(clock.sleeping, 0);
});

test('hydration keeps to its rate, and to another one from the next piece on', async (t) => {
  const { volume, source, clock, task } = lab();
  let rate: number | undefined = 4 * MIB;
  Object.defineProperty(volume, 'hydrationRate', { get: () => rate });
  const done = hydrateLazily(volume, source, clock, task);
  const local = () => geometry.sizeBytes - volume.absentBlocks * geometry.blockBytes;
  const settle = async () => {
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  };
  await settle();
  t.is(local(), 4 * MIB, 'the first piece passes, the next ones wait');
  await clock.advance(1000);
  await settle();
  t.is(local(), 8 * MIB);
  rate = undefined;
  await clock.advance(1000);
  await done;
  t.is(volume.absentBlocks, 0);
  t.is(clock.sleeping, 0);
});
