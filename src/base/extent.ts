/** A run of consecutive blocks: `firstBlock … firstBlock + blockCount - 1`. */
export interface Extent {
  readonly firstBlock: number;
  readonly blockCount: number;
}

export function endBlock(extent: Extent): number {
  return extent.firstBlock + extent.blockCount;
}

/** Cuts an extent into pieces of at most `maxBlocks`, in order. */
export function* splitExtent(extent: Extent, maxBlocks: number): Generator<Extent> {
  for (let first = extent.firstBlock; first < endBlock(extent); first += maxBlocks) {
    yield { firstBlock: first, blockCount: Math.min(maxBlocks, endBlock(extent) - first) };
  }
}

/** Joins ascending block indices into maximal extents. */
export function* extentsOf(ascendingBlocks: Iterable<number>): Generator<Extent> {
  let first = -1;
  let next = -1;
  for (const block of ascendingBlocks) {
    if (block !== next) {
      if (first >= 0) yield { firstBlock: first, blockCount: next - first };
      first = block;
    }
    next = block + 1;
  }
  if (first >= 0) yield { firstBlock: first, blockCount: next - first };
}
