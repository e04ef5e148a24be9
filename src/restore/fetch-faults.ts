import { CloudvolError } from '../base/errors.ts';
import type { RetryPolicy } from '../base/retry.ts';
import type { FetchPriority } from '../volume/backing-source.ts';

/**
 * Waits between attempts. The store has its own quick retries below: what arrives here has failed
 * for a while, and a reader should notice within seconds that the store is back.
 */
export const REFETCH_POLICY: RetryPolicy = {
  maxAttempts: Infinity, // FaultTally decides
  baseDelayMs: 500,
  maxDelayMs: 10_000,
};
/**
 * For requests that nobody waits for: up to half a minute of waits, then whoever asked hears of it.
 */
export const UNASKED_ATTEMPTS = 8;
/** Bad bytes may come from the way here; the second time they are what the store holds. */
export const DATA_FAULT_ATTEMPTS = 2;

/** The store may answer later: by itself, or once somebody has mended the keys or logged in. */
const TRANSIENT = new Set<string>(['store/unavailable', 'store/denied', 'secrets/locked']);
/** The store answered, but not with the bytes that belong here. */
const DATA_FAULTS = new Set<string>([
  'cloudsnap/corrupt',
  'format/corrupt',
  'store/corrupt',
  'store/not-found',
  'store/range',
  'restore/bad-run',
]);

/** Whether what failed may work later as it is. */
export function isTransientFault(error: unknown): boolean {
  return error instanceof CloudvolError && TRANSIENT.has(error.code);
}

/**
 * Decides after each failure of one request whether to fetch again. A demand read whose store does
 * not answer waits for ever, like a hard mount: an I/O error would make the file system above abort
 * its journal, a pause does no harm.
 */
export class FaultTally {
  #transient = 0;
  #data = 0;

  mayRefetch(error: unknown, priority: FetchPriority): boolean {
    if (!(error instanceof CloudvolError)) return false;
    if (isTransientFault(error)) {
      return ++this.#transient < UNASKED_ATTEMPTS || priority === 'demand';
    }
    if (DATA_FAULTS.has(error.code)) return ++this.#data < DATA_FAULT_ATTEMPTS;
    return false;
  }
}
