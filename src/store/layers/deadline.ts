import type { Clock } from '../../base/clock.ts';
import { withDeadline, withStepDeadline, type DeadlineOptions } from '../../base/deadline.ts';
import type { GetOptions, ObjectInfo, ObjectStore, PutOptions } from '../object-store.ts';
import { storeError } from '../store-error.ts';

/**
 * A store that has not answered for this long will not: connections and load balancers give up at
 * 60 s or before.
 */
export const REQUEST_LIMIT_MS = 60_000;
/**
 * The slowest line that is still worth waiting for; below it a body is sent again rather than
 * awaited.
 */
export const SLOWEST_BYTES_PER_SECOND = 128 << 10;
/** What a body of unknown length is taken for: the largest pack. */
const ASSUMED_BODY_BYTES = 32 << 20;

export interface DeadlineStoreOptions {
  readonly clock: Clock;
  /** Time limit of a request besides its body. Default: REQUEST_LIMIT_MS. */
  readonly requestLimitMs?: number;
}

/**
 * Cuts calls that hang: each request has a time limit that grows with its body; after that its
 * caller goes on with `store/unavailable`, whether or not the backend heeds the abort. A listing
 * may take that long for each of its steps, and is cut after at most twice as long.
 */
export class DeadlineStore implements ObjectStore {
  readonly #next: ObjectStore;
  readonly #clock: Clock;
  readonly #requestLimitMs: number;

  constructor(
    next: ObjectStore,
    { clock, requestLimitMs = REQUEST_LIMIT_MS }: DeadlineStoreOptions,
  ) {
    this.#next = next;
    this.#clock = clock;
    this.#requestLimitMs = requestLimitMs;
  }

  get location() {
    return this.#next.location;
  }

  get capabilities() {
    return this.#next.capabilities;
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    return this.#bound(`put ${key}`, body.length, options.signal, (signal) =>
      this.#next.put(key, body, { ...options, signal }),
    );
  }

  get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    const bodyBytes = options.range?.length ?? ASSUMED_BODY_BYTES;
    return this.#bound(`get ${key}`, bodyBytes, options.signal, (signal) =>
      this.#next.get(key, { ...options, signal }),
    );
  }

  head(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ObjectInfo | undefined> {
    return this.#bound(`head ${key}`, 0, options.signal, (signal) =>
      this.#next.head(key, { signal }),
    );
  }

  list(prefix: string, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<ObjectInfo> {
    return withStepDeadline(
      (signal) => this.#next.list(prefix, { signal }),
      this.#options(`list ${prefix}`, 0, options.signal),
    );
  }

  delete(keys: readonly string[], options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#bound(`delete ${keys.length} objects`, 0, options.signal, (signal) =>
      this.#next.delete(keys, { signal }),
    );
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  #bound<T>(
    action: string,
    bodyBytes: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return withDeadline(work, this.#options(action, bodyBytes, signal));
  }

  #options(action: string, bodyBytes: number, signal: AbortSignal | undefined): DeadlineOptions {
    const limitMs = this.#requestLimitMs + (bodyBytes / SLOWEST_BYTES_PER_SECOND) * 1000;
    const seconds = Math.round(limitMs / 1000);
    const message = `${this.location} did not answer within ${seconds} s: ${action}`;
    const hint = 'check the network to the store and its load';
    return {
      limitMs,
      clock: this.#clock,
      signal,
      timedOut: () => storeError('store/unavailable', message, { hint }),
    };
  }
}
