import test from 'ava';
import { batchesOf } from '../../src/backup/copy-blocks.ts';
import { type Extent, extentsOf } from '../../src/base/extent.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';

const cover = (extents: readonly Extent[]) => extents.reduce((sum, e) => sum + e.blockCount, 0);

test('batches hold every block once, ascending, and none is larger than asked', (t) => {
  const seed = 7;
  const random = seededRandom(seed);
  t.log(`seed ${seed}`);
  for (let round = 0; round < 200; round++) {
    const blocks = Array.from({ length: 400 }, (_, i) => i).filter(() => random.chance(0.6));
    const batches = [...batchesOf(extentsOf(blocks), 1 + random.below(20))];
    const seen = batches
      .flat()
      .flatMap((e) => Array.from({ length: e.blockCount }, (_, i) => e.firstBlock + i));
    t.deepEqual(seen, blocks);
  }
});

test('a batch is filled by scattered extents and a long one is cut', (t) => {
  const scattered = [0, 2, 4, 6].map((firstBlock) => ({ firstBlock, blockCount: 1 }));
  t.is([...batchesOf(scattered, 4)].length, 1);
  const long = [...batchesOf([{ firstBlock: 3, blockCount: 10 }], 4)];
  t.deepEqual(long.map(cover), [4, 4, 2]);
});

test('no extents make no batch', (t) => {
  t.deepEqual([...batchesOf([], 4)], []);
});
