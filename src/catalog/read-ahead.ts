import { endBlock, type Extent } from '../base/extent.ts';

/** Readers that are told apart: a directory, an inode table and a file or two, each in parallel. */
const MAX_STREAMS = 16;
/** A reader in order leaves out blocks that it has had before. */
const LEAST_GAP_BLOCKS = 2;

interface Stream {
  /** What was read and fetched ahead: `from` up to, not including, `next`. */
  readonly from: number;
  readonly next: number;
  readonly windowBlocks: number;
}

export interface ReadAheadOptions {
  readonly blockCount: number;
  /** The largest window. */
  readonly maxBlocks: number;
}

/**
 * Says what is worth fetching before it is asked for. The first miss of a place fetches nothing
 * besides: most of what a file system is asked for lies alone. A miss where an earlier one ended
 * opens a window behind it, which doubles each time that it is read to its end.
 */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  /** The one that was used last stands last. */
  readonly #streams: Stream[] = [];

  constructor(options: ReadAheadOptions) {
    this.#options = options;
  }

  /** @param missed what somebody waits for now */
  after(missed: Extent): Extent | undefined {
    const end = endBlock(missed);
    const stream = this.#take(missed.firstBlock);
    if (stream && end <= stream.next) {
      // It is on its way already.
      this.#streams.push(stream);
      return undefined;
    }
    const { blockCount, maxBlocks } = this.#options;
    const windowBlocks = stream
      ? Math.min(maxBlocks, Math.max(1, stream.windowBlocks * 2, missed.blockCount))
      : 0;
    const next = Math.min(blockCount, end + windowBlocks);
    this.#streams.push({ from: missed.firstBlock, next, windowBlocks });
    if (this.#streams.length > MAX_STREAMS) this.#streams.shift();
    return next > end ? { firstBlock: end, blockCount: next - end } : undefined;
  }

  /** The stream that a miss at `block` belongs to. */
  #take(block: number): Stream | undefined {
    const found = this.#streams.findLastIndex(({ from, next, windowBlocks }) => {
      return block >= from && block <= next + Math.max(LEAST_GAP_BLOCKS, windowBlocks);
    });
    return found < 0 ? undefined : this.#streams.splice(found, 1)[0];
  }
}
