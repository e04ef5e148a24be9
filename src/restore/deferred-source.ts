import type { Clock } from '../base/clock.ts';
import { CloudvolError, messageOf } from '../base/errors.ts';
import type { Extent } from '../base/extent.ts';
import type { Log } from '../base/log.ts';
import { retry } from '../base/retry.ts';
import { abortable } from '../base/abortable.ts';
import type { BackingSource, FetchedRun, FetchOptions } from '../volume/backing-source.ts';
import { FaultTally, REFETCH_POLICY } from './fetch-faults.ts';

export interface DeferredSourceOptions {
  /** Finds the cloudsnap and opens it. Called again as long as the store does not answer. */
  readonly open: (signal: AbortSignal) => Promise<BackingSource>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A backing source that is opened by its first reader. For volumes that are still hydrating when
 * the agent starts: what they hold is readable at once, even if the store cannot be reached then;
 * readers of the rest wait, like demand reads.
 */
export class DeferredSource implements BackingSource {
  readonly #options: DeferredSourceOptions;
  readonly #ending = new AbortController();
  #opening: Promise<BackingSource> | undefined;
  #opened: BackingSource | undefined;
  #outage: string | undefined;

  constructor(options: DeferredSourceOptions) {
    this.#options = options;
  }

  get outage(): string | undefined {
    return this.#opened ? this.#opened.outage : this.#outage;
  }

  async readBlocks(extent: Extent, options: FetchOptions): Promise<readonly FetchedRun[]> {
    const source = await abortable(this.#source(), options.signal);
    return await source.readBlocks(extent, options);
  }

  /** Ends every request; waiting readers get `restore/source-closed`. */
  async close(): Promise<void> {
    this.#ending.abort(
      new CloudvolError(
        'restore/source-closed',
        'reading of a cloudsnap has ended before it was opened',
      ),
    );
    const [opened] = await Promise.allSettled([this.#opening]);
    if (opened.status === 'fulfilled') await opened.value?.close();
  }

  #source(): Promise<BackingSource> {
    const { signal } = this.#ending;
    if (signal.aborted) return Promise.reject(signal.reason);
    this.#opening ??= this.#open().catch((error: unknown) => {
      // The next reader tries afresh: what was missing may have been put right.
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<BackingSource> {
    const { open, clock, log } = this.#options;
    const { signal } = this.#ending;
    const faults = new FaultTally();
    this.#opened = await retry(() => open(signal), {
      policy: REFETCH_POLICY,
      clock,
      signal,
      isRetriable: (error) => faults.mayRefetch(error, 'demand'),
      onRetry: ({ error, attempt }) => {
        this.#outage = messageOf(error);
        if (attempt === 1) log.warn('restore.open-failed', { error });
      },
    });
    return this.#opened;
  }
}
