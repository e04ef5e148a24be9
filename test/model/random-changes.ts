import { type SeededRandom, seededRandom } from '../../src/base/seeded-random.ts';
import type { ModelVolume } from './model-volume.ts';

/**
 * New content is cut from here at any offset: random enough, and far cheaper than new random bytes.
 */
const POOL = seededRandom(1).bytes(1 << 20);
/** Longest write or trim of a random change, in blocks. */
const MAX_BLOCKS = 6;

/**
 * Writes or trims somewhere: mostly new content, sometimes zeros, sometimes what is there already.
 */
export function changeAtRandom(volume: ModelVolume, random: SeededRandom): void {
  const { blockBytes, blockCount: count } = volume.geometry;
  const blockCount = 1 + random.below(Math.min(MAX_BLOCKS, count));
  const firstBlock = random.below(count - blockCount + 1);
  const bytes = blockCount * blockBytes;
  const kind = random.next();
  if (kind < 0.2) volume.trim({ firstBlock, blockCount });
  else if (kind < 0.3) volume.write(firstBlock, new Uint8Array(bytes));
  else if (kind < 0.4) {
    const offset = firstBlock * blockBytes;
    volume.write(firstBlock, volume.truth.slice(offset, offset + bytes));
  } else {
    const offset = random.below(POOL.length - bytes);
    volume.write(firstBlock, POOL.subarray(offset, offset + bytes));
  }
}

export function changeManyAtRandom(volume: ModelVolume, random: SeededRandom, times: number): void {
  for (let i = 0; i < times; i++) changeAtRandom(volume, random);
}
