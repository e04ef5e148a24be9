import { CloudvolError } from '../base/errors.ts';
import { endBlock, splitExtent, type Extent } from '../base/extent.ts';
import type { FileEntry } from './file-entry.ts';
import type { Image } from './image.ts';
import { sparseTarEnd, sparseTarStart } from './sparse-tar.ts';

/** What a disk without a file system that can be read is listed as: one file with all of it. */
export const WHOLE_DISK_NAME = 'volume.img';

/** Holes smaller than that are not worth an entry of the map. */
const LEAST_HOLE_BYTES = 1 << 20;
/** As long as one request of a chain source is. */
const PIECE_BYTES = 4 << 20;
/** Pieces under way: the line stays busy while one is written. */
const PIECES_AHEAD = 4;

/** @throws CloudvolError `catalog/no-such-path` when something else is asked for */
export function wholeDiskEntry(image: Image, names: readonly string[]): FileEntry {
  if (names.length > 0 && names.join('/') !== WHOLE_DISK_NAME) {
    const message = `there is no /${names.join('/')} in ${image.cloudsnapId}`;
    throw new CloudvolError('catalog/no-such-path', `${message}, only /${WHOLE_DISK_NAME}`, {
      hint: 'the volume has no file system that can be read: it is listed as one file',
    });
  }
  return {
    path: `/${WHOLE_DISK_NAME}`,
    type: 'file',
    sizeBytes: image.geometry.sizeBytes,
    mode: '0600',
    uid: 0,
    gid: 0,
    links: 1,
    modified: new Date(image.createdMs).toISOString(),
  };
}

/** An archive of the disk as one sparse file. Only what holds data is fetched, once. */
export async function* packWholeDisk(
  image: Image,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { blockBytes, sizeBytes } = image.geometry;
  const extents = await joined(image, signal);
  const ranges = extents.map(({ firstBlock, blockCount }) => ({
    offset: firstBlock * blockBytes,
    length: blockCount * blockBytes,
  }));
  const file = { name: WHOLE_DISK_NAME, sizeBytes, mode: 0o600, modifiedMs: image.createdMs };
  yield sparseTarStart(file, ranges);
  yield* readInOrder(image, extents, signal);
  yield sparseTarEnd(ranges);
}

async function joined(image: Image, signal: AbortSignal): Promise<Extent[]> {
  const leastHoleBlocks = LEAST_HOLE_BYTES / image.geometry.blockBytes;
  const extents: Extent[] = [];
  for await (const { firstBlock, blockCount } of image.dataExtents(signal)) {
    const last = extents.at(-1);
    if (last && firstBlock - endBlock(last) < leastHoleBlocks) {
      const start = last.firstBlock;
      extents[extents.length - 1] = {
        firstBlock: start,
        blockCount: firstBlock + blockCount - start,
      };
    } else extents.push({ firstBlock, blockCount });
  }
  return extents;
}

async function* readInOrder(
  image: Image,
  extents: readonly Extent[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reading: Promise<Uint8Array[]>[] = [];
  for (const piece of pieces(image, extents)) {
    const bytes = readPiece(image, piece, signal);
    // Who takes it hears of its failure.
    bytes.catch(() => {});
    reading.push(bytes);
    if (reading.length > PIECES_AHEAD) yield* (await reading.shift()) ?? [];
  }
  for (const bytes of reading) yield* await bytes;
}

function* pieces({ geometry }: Image, extents: readonly Extent[]): Generator<Extent> {
  const maxBlocks = Math.max(1, Math.floor(PIECE_BYTES / geometry.blockBytes));
  for (const extent of extents) yield* splitExtent(extent, maxBlocks);
}

async function readPiece(
  { source, geometry }: Image,
  piece: Extent,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const runs = await source.readBlocks(piece, { priority: 'prefetch', signal });
  return runs.map(
    ({ data, blockCount }) => data ?? new Uint8Array(blockCount * geometry.blockBytes),
  );
}
