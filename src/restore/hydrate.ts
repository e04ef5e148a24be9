import { CloudvolError } from '../base/errors.ts';
import type { Extent } from '../base/extent.ts';
import { mapLimited } from '../base/map-limited.ts';
import type { TaskContext } from '../tasks/task-api.ts';
import type { BackingSource } from '../volume/backing-source.ts';
import type { HydrationTarget } from '../volume/volume-api.ts';
import type { HydrationPace } from './hydration-pace.ts';

/**
 * One piece of work: long enough for full throughput, short enough to stop soon and to hold a few
 * in memory.
 */
export const PIECE_BYTES = 4 << 20;
/** Pieces under way: fetch, populate and decode overlap; bounds memory to this many pieces. */
export const DEFAULT_CONCURRENCY = 4;

export interface HydrateOptions {
  readonly concurrency?: number;
  /** Without it, as fast as it goes. */
  readonly pace?: HydrationPace;
}

/**
 * Fills every absent block of a volume, beside demand reads and writes, until it needs its source
 * no more. A stop or a failure leaves the volume as usable as before; hydrating again goes on where
 * this ended.
 * @throws the task's stop reason, or what the source or the volume throws.
 */
export async function hydrate(
  target: HydrationTarget,
  source: BackingSource,
  options: HydrateOptions,
  task: TaskContext,
): Promise<void> {
  const { blockBytes } = target.geometry;
  const absentAtStart = target.absentBlocks;
  let zeroBlocks = 0;
  const report = () =>
    task.progress({
      bytesTotal: absentAtStart * blockBytes,
      bytesDone: (absentAtStart - target.absentBlocks) * blockBytes,
    });
  report();
  while (target.absentBlocks > 0) {
    zeroBlocks += await fillOnce(target, source, options, task.signal, report);
  }
  task.signal.throwIfAborted();
  await target.completeHydration();
  task.result({ hydratedBytes: absentAtStart * blockBytes, zeroBytes: zeroBlocks * blockBytes });
}

/** Goes once over what is absent now; returns how many of those blocks were zero. */
async function fillOnce(
  target: HydrationTarget,
  source: BackingSource,
  { concurrency = DEFAULT_CONCURRENCY, pace }: HydrateOptions,
  taskSignal: AbortSignal,
  report: () => void,
): Promise<number> {
  const pieceBlocks = Math.max(1, Math.floor(PIECE_BYTES / target.geometry.blockBytes));
  const failed = new AbortController();
  const signal = AbortSignal.any([taskSignal, failed.signal]);
  const zeroBlocks = await mapLimited(
    target.absentExtents(pieceBlocks),
    async (piece) => {
      try {
        const zeros = await fillPiece(target, source, piece, { signal, pace });
        report();
        return zeros;
      } catch (error) {
        // The other pieces under way end at once instead of waiting out a store that does not
        // answer.
        failed.abort(error);
        throw error;
      }
    },
    { limit: concurrency, signal },
  );
  requireProgress(target, zeroBlocks.length);
  return zeroBlocks.reduce((sum, blocks) => sum + blocks, 0);
}

async function fillPiece(
  target: HydrationTarget,
  source: BackingSource,
  piece: Extent,
  { signal, pace }: { readonly signal: AbortSignal; readonly pace: HydrationPace | undefined },
): Promise<number> {
  let zeroBlocks = 0;
  for (const run of await source.readBlocks(piece, { priority: 'background', signal })) {
    await pace?.take(run.data?.length ?? 0, signal);
    signal.throwIfAborted();
    await target.populate(run);
    if (run.data === undefined) zeroBlocks += run.blockCount;
  }
  return zeroBlocks;
}

/** A volume that counts absent blocks but names none would keep this going for ever. */
function requireProgress(target: HydrationTarget, pieces: number): void {
  if (pieces > 0 || target.absentBlocks === 0) return;
  throw new CloudvolError(
    'restore/no-progress',
    `volume ${target.id} counts ${target.absentBlocks} absent blocks but names none`,
  );
}
