import type { BackingSource, FetchedRun, FetchOptions } from '../volume/backing-source.ts';
import type { Extent } from '../base/extent.ts';

/** Tells of every read that failed; otherwise as the source behind it. */
export class WatchedSource implements BackingSource {
  readonly #next: BackingSource;
  readonly #onFailure: (error: unknown) => void;

  constructor(next: BackingSource, onFailure: (error: unknown) => void) {
    this.#next = next;
    this.#onFailure = onFailure;
  }

  get outage(): string | undefined {
    return this.#next.outage;
  }

  async readBlocks(extent: Extent, options: FetchOptions): Promise<readonly FetchedRun[]> {
    try {
      return await this.#next.readBlocks(extent, options);
    } catch (error) {
      this.#onFailure(error);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#next.close();
  }
}
