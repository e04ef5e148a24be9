import type { Extent } from '../base/extent.ts';

/**
 * Order of service, always: a waiting reader, then what a reader will soon ask for, then the rest
 * of the volume.
 */
export type FetchPriority = 'demand' | 'prefetch' | 'background';

export interface FetchOptions {
  readonly priority: FetchPriority;
  readonly signal?: AbortSignal;
}

/** A run of fetched blocks. No `data` means that every byte of the run is zero. */
export interface FetchedRun extends Extent {
  /** `blockCount * blockBytes` bytes. */
  readonly data?: Uint8Array;
}

/**
 * Where absent blocks come from. Implemented by restore/ on a cloud chain; the volume never sees
 * the cloud. Bytes are verified before they are returned: right bytes or an error.
 */
export interface BackingSource {
  /** Why its readers wait for longer than a request takes; undefined while requests succeed. */
  readonly outage?: string | undefined;
  /** Runs come in ascending order and cover the extent exactly. */
  readBlocks(extent: Extent, options: FetchOptions): Promise<readonly FetchedRun[]>;
  close(): Promise<void>;
}
