import type { Clock } from '../../base/clock.ts';
import { withDeadline } from '../../base/deadline.ts';
import type { GetOptions, ObjectInfo, ObjectStore, PutOptions } from '../object-store.ts';
import { storeError } from '../store-error.ts';

/** A store that has not answered for this long will not: connections and load balancers give up at 60 s or before. */
export const REQUEST_LIMIT_MS = 60_000;
/** The slowest line that is still worth waiting for; below it a body is sent again rather than awaited. */
export const SLOWEST_BYTES_PER_SECOND = 128 << 10;
/** What a body of unknown length is taken for: the largest pack. */
const ASSUMED_BODY_BYTES = 32 << 20;

export interface DeadlineOptions {
  readonly clock: Clock;
  /** Time limit of a request besides its body. Default: REQUEST_LIMIT_MS. */
  readonly requestLimitMs?: number;
}

/**
 * Cuts calls that hang: each request has a time limit that grows with its body; after that its caller goes on with
 * `store/unavailable`, whether or not the backend heeds the abort. A listing may take that long for each of its steps.
 */
export class DeadlineStore implements ObjectStore {
  readonly #next: ObjectStore;
  readonly #clock: Clock;
  readonly #requestLimitMs: number;

  constructor(next: ObjectStore, { clock, requestLimitMs = REQUEST_LIMIT_MS }: DeadlineOptions) {
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

  async *list(
    prefix: string,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo> {
    const cut = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, cut.signal]) : cut.signal;
    const listing = this.#next.list(prefix, { signal })[Symbol.asyncIterator]();
    try {
      for (;;) {
        const step = await this.#bound(`list ${prefix}`, 0, options.signal, () => listing.next());
        if (step.done) return;
        yield step.value;
      }
    } finally {
      cut.abort();
      // Not awaited: a generator queues this behind the step that hangs. What it throws has been reported by that step.
      listing.return?.().catch(() => {});
    }
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
    const limitMs = this.#requestLimitMs + (bodyBytes / SLOWEST_BYTES_PER_SECOND) * 1000;
    return withDeadline(work, {
      limitMs,
      clock: this.#clock,
      signal,
      timedOut: () =>
        storeError(
          'store/unavailable',
          `${this.location} did not answer within ${Math.round(limitMs / 1000)} s: ${action}`,
          { hint: 'check the network to the store and its load' },
        ),
    });
  }
}
