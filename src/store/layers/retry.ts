/**
 * Tries again what may work when tried again: `store/unavailable`, and `store/corrupt`, since a
 * body that arrived cut off or garbled is usually whole the next time. Everything else passes at
 * once.
 *
 * Retrying is safe: `put` stores the same bytes again, `delete` is idempotent. One case needs care.
 * A `put` with `ifAbsent` whose answer got lost finds its own object on the next attempt and is
 * told `store/exists`. It has not lost then: what is there is compared by size and SHA-256 with
 * what it wanted to put. So contenders must put different bytes (a writer's id in them is enough),
 * or two of them may think that they won.
 */
import { systemClock, type Clock } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import { retry, type RetryEvent, type RetryPolicy } from '../../base/retry.ts';
import { sha256Hex } from '../../base/sha256.ts';
import { compareKeys } from '../key.ts';
import type { GetOptions, ObjectInfo, ObjectStore, PutOptions } from '../object-store.ts';
import { restMs } from '../retry-after.ts';
import { storeError } from '../store-error.ts';

/**
 * Half a minute of trouble at most (0.2, 0.4 … 10 s, jittered): longer waits are the caller's
 * decision.
 */
export const STORE_RETRY_POLICY: RetryPolicy = {
  maxAttempts: 8,
  baseDelayMs: 200,
  maxDelayMs: 10_000,
};

export interface RetryStoreOptions {
  readonly clock?: Clock;
  readonly policy?: RetryPolicy;
  readonly random?: () => number;
  /** Told before each wait: for logs. */
  readonly onRetry?: (event: RetryEvent & { readonly action: string }) => void;
}

export class RetryStore implements ObjectStore {
  readonly #next: ObjectStore;
  readonly #options: RetryStoreOptions;

  constructor(next: ObjectStore, options: RetryStoreOptions = {}) {
    this.#next = next;
    this.#options = options;
  }

  get location() {
    return this.#next.location;
  }

  get capabilities() {
    return this.#next.capabilities;
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    let answerLost = false;
    const put = async () => {
      try {
        return await this.#next.put(key, body, options);
      } catch (error) {
        answerLost ||= isRetriable(error);
        throw error;
      }
    };
    try {
      return await this.#retry(`put ${key}`, options.signal, put);
    } catch (error) {
      if (!options.ifAbsent || !answerLost || !hasCode(error, 'store/exists')) throw error;
      const own = await this.#ownEarlierPut(key, body, options.signal);
      if (!own) throw error;
      return own;
    }
  }

  get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    return this.#retry(`get ${key}`, options.signal, async () => {
      const body = await this.#next.get(key, options);
      const wanted = options.range?.length ?? body.length;
      if (body.length === wanted) return body;
      throw storeError('store/corrupt', `${key} gave ${body.length} bytes instead of ${wanted}`);
    });
  }

  head(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ObjectInfo | undefined> {
    return this.#retry(`head ${key}`, options.signal, () => this.#next.head(key, options));
  }

  /** A listing that breaks off begins anew and passes over what it has given out already. */
  async *list(
    prefix: string,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo> {
    let last: string | undefined;
    let listing = this.#next.list(prefix, options)[Symbol.asyncIterator]();
    const nextNew = async (attempt: number) => {
      if (attempt > 1) listing = this.#next.list(prefix, options)[Symbol.asyncIterator]();
      for (;;) {
        const step = await listing.next();
        if (step.done || last === undefined || compareKeys(step.value.key, last) > 0) return step;
      }
    };
    try {
      for (;;) {
        const step = await this.#retry(`list ${prefix}`, options.signal, nextNew);
        if (step.done) return;
        last = step.value.key;
        yield step.value;
      }
    } finally {
      await listing.return?.();
    }
  }

  delete(keys: readonly string[], options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const action = `delete ${keys.length} objects`;
    return this.#retry(action, options.signal, () => this.#next.delete(keys, options));
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  /** The object there, when its content is what was to be put. */
  async #ownEarlierPut(
    key: string,
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<ObjectInfo | undefined> {
    const waiting = signal ? { signal } : {};
    const found = await this.head(key, waiting);
    if (found?.sizeBytes !== body.length) return undefined;
    const there = await this.get(key, waiting);
    return sha256Hex(there) === sha256Hex(body) ? found : undefined;
  }

  #retry<T>(
    action: string,
    signal: AbortSignal | undefined,
    work: (attempt: number) => Promise<T>,
  ): Promise<T> {
    const { clock = systemClock, policy = STORE_RETRY_POLICY, random, onRetry } = this.#options;
    return retry(work, {
      policy,
      clock,
      signal,
      isRetriable,
      atLeastMs: restMs,
      ...(random ? { random } : {}),
      ...(onRetry ? { onRetry: (event: RetryEvent) => onRetry({ ...event, action }) } : {}),
    });
  }
}

function isRetriable(error: unknown): boolean {
  return hasCode(error, 'store/unavailable') || hasCode(error, 'store/corrupt');
}
