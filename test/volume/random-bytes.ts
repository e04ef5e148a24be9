import { seededRandom, type SeededRandom } from '../../src/base/seeded-random.ts';
import type { Volume } from '../../src/volume/volume.ts';

/** Content is cut from here: random enough, and far cheaper than new random bytes. */
const POOL = seededRandom(1).bytes(1 << 20);

/** An image with data and zeros in blocks. */
export function randomImage(random: SeededRandom, sizeBytes: number, blockBytes: number) {
  const image = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += blockBytes) {
    if (random.chance(0.7)) image.set(cut(random, Math.min(blockBytes, sizeBytes - at)), at);
  }
  return image;
}

/**
 * A write or a trim, aligned or not, in the volume and in the model. The model changes at once: no
 * two changes of the same bytes may be under way.
 */
export async function changeBoth(
  random: SeededRandom,
  volume: Volume,
  model: Uint8Array,
  maxBytes: number,
): Promise<void> {
  const unit = random.chance(0.5) ? 512 : 1;
  const length = Math.max(unit, (1 + random.below(maxBytes)) & -unit);
  const offset = random.below(model.length - length + 1) & -unit;
  const kind = random.next();
  if (kind < 0.2) {
    model.fill(0, offset, offset + length);
    await volume.trim(offset, length);
    return;
  }
  const bytes = kind < 0.3 ? new Uint8Array(length) : cut(random, length);
  model.set(bytes, offset);
  await volume.write(offset, bytes);
}

function cut(random: SeededRandom, length: number): Uint8Array {
  const start = random.below(POOL.length - length + 1);
  return POOL.subarray(start, start + length);
}
