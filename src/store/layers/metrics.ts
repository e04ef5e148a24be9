import { CloudvolError, type ErrorCode } from '../../base/errors.ts';
import type { GetOptions, ObjectInfo, ObjectStore, PutOptions } from '../object-store.ts';

export const STORE_VERBS = ['put', 'get', 'head', 'list', 'delete'] as const;
export type StoreVerb = (typeof STORE_VERBS)[number];

/** Counts since the store was opened. */
export interface StoreMetrics {
  /**
   * Attempts, not successes: what a provider charges for. A `list` counts once, a `delete` once per
   * batch.
   */
  readonly requests: Readonly<Record<StoreVerb, number>>;
  /** Bodies handed to the backend, whether or not it took them. */
  readonly bytesUp: number;
  /** Bodies received. */
  readonly bytesDown: number;
  /** Failed requests by error code; `other` where the failure had none (an abort). */
  readonly errors: Readonly<Partial<Record<ErrorCode | 'other', number>>>;
  /** Requests that have not been answered. */
  readonly inFlight: number;
}

/** Counts what passes. Changes nothing. */
export class MetricsStore implements ObjectStore {
  readonly #next: ObjectStore;
  readonly #requests: Record<StoreVerb, number> = { put: 0, get: 0, head: 0, list: 0, delete: 0 };
  readonly #errors: Partial<Record<ErrorCode | 'other', number>> = {};
  #bytesUp = 0;
  #bytesDown = 0;
  #inFlight = 0;

  constructor(next: ObjectStore) {
    this.#next = next;
  }

  get location() {
    return this.#next.location;
  }

  get capabilities() {
    return this.#next.capabilities;
  }

  /** A copy; it does not change any more. */
  snapshot(): StoreMetrics {
    return {
      requests: { ...this.#requests },
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      errors: { ...this.#errors },
      inFlight: this.#inFlight,
    };
  }

  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo> {
    this.#bytesUp += body.length;
    return this.#count('put', 1, () => this.#next.put(key, body, options));
  }

  async get(key: string, options?: GetOptions): Promise<Uint8Array> {
    const body = await this.#count('get', 1, () => this.#next.get(key, options));
    this.#bytesDown += body.length;
    return body;
  }

  head(key: string, options?: { readonly signal?: AbortSignal }): Promise<ObjectInfo | undefined> {
    return this.#count('head', 1, () => this.#next.head(key, options));
  }

  async *list(
    prefix: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncGenerator<ObjectInfo> {
    this.#requests.list++;
    this.#inFlight++;
    try {
      yield* this.#next.list(prefix, options);
    } catch (error) {
      this.#countError(error);
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  delete(keys: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<void> {
    const batches = Math.ceil(keys.length / this.capabilities.batchDelete);
    return this.#count('delete', batches, () => this.#next.delete(keys, options));
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  async #count<T>(verb: StoreVerb, requests: number, work: () => Promise<T>): Promise<T> {
    this.#requests[verb] += requests;
    this.#inFlight++;
    try {
      return await work();
    } catch (error) {
      this.#countError(error);
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  #countError(error: unknown): void {
    const code = error instanceof CloudvolError ? error.code : 'other';
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }
}
