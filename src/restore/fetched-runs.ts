import { CloudvolError } from '../base/errors.ts';
import { endBlock, type Extent } from '../base/extent.ts';
import type { FetchedRun } from '../volume/backing-source.ts';

/**
 * Holds a reader to its promise before bytes reach a volume: ascending runs that cover the extent
 * exactly, whole blocks.
 * @throws CloudvolError `restore/bad-run`
 */
export function requireCover(
  runs: readonly FetchedRun[],
  extent: Extent,
  blockBytes: number,
): readonly FetchedRun[] {
  let next = extent.firstBlock;
  for (const run of runs) {
    const whole = run.data === undefined || run.data.length === run.blockCount * blockBytes;
    if (run.firstBlock !== next || run.blockCount < 1 || !whole) break;
    next = endBlock(run);
  }
  if (next === endBlock(extent) && endOf(runs, extent) === next) return runs;
  throw new CloudvolError(
    'restore/bad-run',
    `blocks ${extent.firstBlock} to ${endBlock(extent) - 1} did not come back whole: see ${next}`,
  );
}

/** The part of ascending, covering runs that lies in `extent`; data is shared, not copied. */
export function cutRuns(
  runs: readonly FetchedRun[],
  extent: Extent,
  blockBytes: number,
): FetchedRun[] {
  const parts: FetchedRun[] = [];
  for (const run of runs) {
    const firstBlock = Math.max(run.firstBlock, extent.firstBlock);
    const blockCount = Math.min(endBlock(run), endBlock(extent)) - firstBlock;
    if (blockCount <= 0) continue;
    const offset = (firstBlock - run.firstBlock) * blockBytes;
    parts.push(
      run.data === undefined
        ? { firstBlock, blockCount }
        : {
            firstBlock,
            blockCount,
            data: run.data.subarray(offset, offset + blockCount * blockBytes),
          },
    );
  }
  return parts;
}

function endOf(runs: readonly FetchedRun[], extent: Extent): number {
  const last = runs.at(-1);
  return last ? endBlock(last) : extent.firstBlock;
}
