import { CloudvolError } from './errors.ts';

/**
 * Shape of a volume. Sizes are in bytes and below 2^53; the last block may be partial in meaning
 * but never in size.
 */
export interface Geometry {
  readonly sizeBytes: number;
  /** Unit of tracking and transfer; a power of two, MIN_BLOCK_BYTES … MAX_BLOCK_BYTES. */
  readonly blockBytes: number;
  readonly blockCount: number;
}

export const MIN_BLOCK_BYTES = 4096;
export const MAX_BLOCK_BYTES = 1 << 20;
export const DEFAULT_BLOCK_BYTES = 64 << 10;
/** Bounds the bitmaps (32 MiB each) and the root of an index: 16 TiB at the default block size. */
export const MAX_BLOCKS_PER_VOLUME = 2 ** 28;

/** @throws CloudvolError `volume/bad-size` when no volume can have this shape. */
export function geometryOf(sizeBytes: number, blockBytes: number = DEFAULT_BLOCK_BYTES): Geometry {
  if (
    !Number.isSafeInteger(blockBytes) ||
    blockBytes < MIN_BLOCK_BYTES ||
    blockBytes > MAX_BLOCK_BYTES ||
    (blockBytes & (blockBytes - 1)) !== 0
  ) {
    throw new CloudvolError(
      'volume/bad-size',
      `a block size of ${blockBytes} bytes is not possible`,
      {
        hint: 'choose a power of two from 4KiB to 1MiB',
      },
    );
  }
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0) {
    throw new CloudvolError('volume/bad-size', `a volume of ${sizeBytes} bytes is not possible`, {
      hint: 'give a size above zero, such as 4G',
    });
  }
  if (sizeBytes % blockBytes !== 0) {
    const possibleBytes = Math.ceil(sizeBytes / blockBytes) * blockBytes;
    throw new CloudvolError(
      'volume/bad-size',
      `a size of ${sizeBytes} bytes is not a multiple of the block size of ${blockBytes} bytes`,
      { hint: `use ${possibleBytes} bytes, or another --block-size` },
    );
  }
  const blockCount = sizeBytes / blockBytes;
  if (blockCount > MAX_BLOCKS_PER_VOLUME) {
    throw new CloudvolError(
      'volume/bad-size',
      `${blockCount} blocks are more than a volume can have`,
      {
        hint: `choose a larger --block-size, so that there are at most ${MAX_BLOCKS_PER_VOLUME}`,
      },
    );
  }
  return { sizeBytes, blockBytes, blockCount };
}
