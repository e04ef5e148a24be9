import { type Extent, splitExtent } from '../base/extent.ts';
import { mapLimited } from '../base/map-limited.ts';
import type { CloudsnapWriter } from '../cloudsnap/cloudsnap-api.ts';
import type { BackupSource, FrozenView } from '../volume/volume-api.ts';

/**
 * Bytes read ahead while as many are being encoded: large enough for full disk speed, two buffers
 * stay small.
 */
export const BATCH_BYTES = 4 << 20;
/**
 * Extents of one batch read at once: scattered blocks come at the disk's queue depth, not one after
 * the other.
 */
export const READS_AT_ONCE = 8;
/** Requests for blocks that a half-hydrated volume does not hold yet, per extent. */
export const ABSENT_READS_AT_ONCE = 4;

export interface CopyRequest {
  readonly source: Pick<BackupSource, 'readAbsent'>;
  readonly view: FrozenView;
  readonly writer: CloudsnapWriter;
  readonly signal: AbortSignal;
  /** Told after each extent how many blocks are done in all. */
  readonly onCopied: (blocksDone: number) => void;
}

/** Extents that were read together, one behind the other in `data`. */
interface Batch {
  readonly extents: readonly Extent[];
  readonly data: Uint8Array;
}

/**
 * Hands every block of a view to the writer, ascending. While one batch is encoded the next one is
 * read: two buffers, whatever the size of the volume. When it rejects, nothing of it is under way
 * any more.
 */
export async function copyBlocks(request: CopyRequest): Promise<void> {
  const { view } = request;
  const batchBlocks = Math.max(1, Math.floor(BATCH_BYTES / view.geometry.blockBytes));
  const bufferBytes = Math.min(batchBlocks, view.plannedBlocks) * view.geometry.blockBytes;
  const buffers = [new Uint8Array(bufferBytes), new Uint8Array(bufferBytes)] as const;
  const batches = batchesOf(view.extents(), batchBlocks);
  const write = batchWriter(request);
  let current = await readNext(request, batches, buffers[0]);
  for (let turn = 1; current; turn++) {
    const [written, next] = await Promise.allSettled([
      write(current),
      readNext(request, batches, buffers[turn % 2 === 0 ? 0 : 1]),
    ]);
    if (written.status === 'rejected') throw written.reason;
    if (next.status === 'rejected') throw next.reason;
    current = next.value;
  }
}

/**
 * Groups ascending extents so that each group holds at most `maxBlocks`; larger extents are cut.
 */
export function* batchesOf(extents: Iterable<Extent>, maxBlocks: number): Generator<Extent[]> {
  let batch: Extent[] = [];
  let room = maxBlocks;
  for (const extent of extents) {
    for (const piece of splitExtent(extent, maxBlocks)) {
      if (piece.blockCount > room) {
        yield batch;
        batch = [];
        room = maxBlocks;
      }
      batch.push(piece);
      room -= piece.blockCount;
    }
  }
  if (batch.length > 0) yield batch;
}

async function readNext(
  request: CopyRequest,
  batches: Iterator<Extent[]>,
  buffer: Uint8Array,
): Promise<Batch | undefined> {
  const { view, signal } = request;
  const next = batches.next();
  if (next.done) return undefined;
  const extents = next.value;
  const parts = [...slices({ extents, data: buffer }, view.geometry.blockBytes)];
  await mapLimited(parts, ({ extent, bytes }) => readExtent(request, extent, bytes), {
    limit: READS_AT_ONCE,
    signal,
  });
  return { extents, data: buffer };
}

async function readExtent(
  { source, view, signal }: CopyRequest,
  extent: Extent,
  target: Uint8Array,
): Promise<void> {
  const { blockBytes } = view.geometry;
  const absent = await view.readBlocks(extent, target);
  await mapLimited(
    absent,
    async (run) => {
      const offset = (run.firstBlock - extent.firstBlock) * blockBytes;
      target.set(await source.readAbsent(run, signal), offset);
    },
    { limit: ABSENT_READS_AT_ONCE, signal },
  );
}

function batchWriter({ view, writer, signal, onCopied }: CopyRequest) {
  let blocksDone = 0;
  return async (batch: Batch): Promise<void> => {
    for (const { extent, bytes } of slices(batch, view.geometry.blockBytes)) {
      signal.throwIfAborted();
      await writer.writeBlocks(extent.firstBlock, bytes);
      view.forget(extent);
      blocksDone += extent.blockCount;
      onCopied(blocksDone);
    }
  };
}

function* slices({ extents, data }: Batch, blockBytes: number) {
  let offset = 0;
  for (const extent of extents) {
    const end = offset + extent.blockCount * blockBytes;
    yield { extent, bytes: data.subarray(offset, end) };
    offset = end;
  }
}
