import { formatByteSize } from '../base/byte-size.ts';
import { CloudvolError } from '../base/errors.ts';
import { endBlock, type Extent } from '../base/extent.ts';
import type { BackingSource, FetchedRun, FetchOptions } from '../volume/backing-source.ts';
import type { Image } from './image.ts';
import { ReadAhead } from './read-ahead.ts';

/** As long as one request of a chain source is. */
const MAX_WINDOW_BYTES = 4 << 20;

export interface ImageSourceOptions {
  /** What may be fetched, since all of it is kept until the image is closed. */
  readonly budgetBytes: number;
  /** Takes what was fetched ahead. */
  readonly populate: (run: FetchedRun) => Promise<void>;
}

/**
 * A cloudsnap behind a file system that somebody looks into for a while. Unlike a volume's it does
 * not wait for a store for ever (whoever looks is told what is wrong), reads ahead of readers that
 * read in order, and keeps in mind why a read failed: the file system above makes EIO of it.
 */
export class ImageSource implements BackingSource {
  readonly #next: BackingSource;
  readonly #options: ImageSourceOptions;
  readonly #ahead: ReadAhead;
  /** A bit per block that was asked for: what is here already is not fetched again. */
  readonly #asked: Uint8Array;
  readonly #underWay = new Set<Promise<void>>();
  #fetchedBytes = 0;
  #failure: unknown;
  #isClosed = false;

  constructor({ source, geometry }: Image, options: ImageSourceOptions) {
    const { blockCount, blockBytes } = geometry;
    this.#next = source;
    this.#options = options;
    const maxBlocks = Math.max(1, Math.floor(MAX_WINDOW_BYTES / blockBytes));
    this.#ahead = new ReadAhead({ blockCount, maxBlocks });
    this.#asked = new Uint8Array(Math.ceil(blockCount / 8));
  }

  /** Why a read failed first; undefined as long as none did. */
  get failure(): unknown {
    return this.#failure;
  }

  async readBlocks(extent: Extent, { signal }: FetchOptions): Promise<readonly FetchedRun[]> {
    this.#mark(extent);
    const ahead = this.#ahead.after(extent);
    try {
      // As a reader that waits, but with a prefetch's patience: see FaultTally in restore/.
      const priority = 'prefetch';
      const fetching = this.#next.readBlocks(extent, { priority, ...(signal && { signal }) });
      if (ahead) this.#fetchAhead(ahead);
      const runs = await fetching;
      this.#count(runs);
      return runs;
    } catch (error) {
      if (!this.#isClosed) this.#failure ??= error;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#next.close();
    await Promise.all(this.#underWay);
  }

  #fetchAhead(window: Extent): void {
    for (const extent of this.#notAsked(window)) {
      this.#mark(extent);
      const fetching = this.#populate(extent).finally(() => this.#underWay.delete(fetching));
      this.#underWay.add(fetching);
    }
  }

  async #populate(extent: Extent): Promise<void> {
    try {
      const runs = await this.#next.readBlocks(extent, { priority: 'background' });
      this.#count(runs);
      for (const run of runs) await this.#options.populate(run);
    } catch {
      // Nobody waits for it. Whoever reads these blocks meets the failure, and hears of it.
    }
  }

  #count(runs: readonly FetchedRun[]): void {
    for (const { data } of runs) this.#fetchedBytes += data?.length ?? 0;
    const { budgetBytes } = this.#options;
    if (this.#fetchedBytes <= budgetBytes) return;
    const message = `this needs more than the ${formatByteSize(budgetBytes)} that may be kept here`;
    throw new CloudvolError('catalog/no-space', `${message} while a cloudsnap is looked into`, {
      hint: 'ask for less at a time, restore the cloudsnap, or make room in the state directory',
    });
  }

  #mark({ firstBlock, blockCount }: Extent): void {
    for (let block = firstBlock; block < firstBlock + blockCount; block++) {
      this.#asked[block >> 3]! |= 1 << (block & 7);
    }
  }

  *#notAsked(window: Extent): Generator<Extent> {
    let first = window.firstBlock;
    for (let block = first; block <= endBlock(window); block++) {
      const isOpen = block < endBlock(window) && !(this.#asked[block >> 3]! & (1 << (block & 7)));
      if (isOpen) continue;
      if (block > first) yield { firstBlock: first, blockCount: block - first };
      first = block + 1;
    }
  }
}
