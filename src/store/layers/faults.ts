import type { Clock } from '../../base/clock.ts';
import type { GetOptions, ObjectInfo, ObjectStore, PutOptions } from '../object-store.ts';
import { storeError } from '../store-error.ts';
import type { StoreVerb } from './metrics.ts';

export type FaultKind =
  | 'none'
  /** `store/unavailable`, and nothing was done. */
  | 'error'
  /**
   * It was done, but the answer is `store/unavailable`; a `get` or `head` just fails, a `list`
   * breaks off midway.
   */
  | 'lost-answer'
  /** No answer at all, until the signal is aborted. */
  | 'hang'
  /**
   * A `get` gives the first half of the body as if it were the whole; other requests are left
   * alone.
   */
  | 'truncate'
  /** A `get` gives the right number of bytes, one of them wrong; other requests are left alone. */
  | 'garble';

export interface Fault {
  readonly kind: FaultKind;
  /** Wait before anything else. */
  readonly latencyMs?: number;
}

export interface FaultRequest {
  readonly verb: StoreVerb;
  /** The prefix of a list, the first key of a delete. */
  readonly key: string;
  /** Number of this request over all verbs, from 1. */
  readonly count: number;
}

/**
 * Decides for each request what goes wrong. `seededFaults` makes one; a test may script its own.
 */
export type FaultPlan = (request: FaultRequest) => Fault;

/** A list with a lost answer breaks off after this many keys, or at its end. */
const KEYS_BEFORE_BREAK = 10;

/**
 * What networks and stores do to requests, on demand. For tests and benches; never part of a real
 * stack.
 */
export class FaultStore implements ObjectStore {
  readonly #next: ObjectStore;
  readonly #plan: FaultPlan;
  readonly #clock: Clock;
  #count = 0;

  constructor(next: ObjectStore, options: { readonly plan: FaultPlan; readonly clock: Clock }) {
    this.#next = next;
    this.#plan = options.plan;
    this.#clock = options.clock;
  }

  get location() {
    return this.#next.location;
  }

  get capabilities() {
    return this.#next.capabilities;
  }

  /** Requests seen so far. */
  get count(): number {
    return this.#count;
  }

  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo> {
    return this.#suffer('put', key, options?.signal, () => this.#next.put(key, body, options));
  }

  async get(key: string, options?: GetOptions): Promise<Uint8Array> {
    const kind = await this.#begin('get', key, options?.signal);
    const body = await this.#next.get(key, options);
    if (kind === 'lost-answer') throw this.#unavailable('get', key);
    if (kind === 'truncate') return body.subarray(0, Math.floor(body.length / 2));
    return kind === 'garble' ? garbled(body) : body;
  }

  head(key: string, options?: { readonly signal?: AbortSignal }): Promise<ObjectInfo | undefined> {
    return this.#suffer('head', key, options?.signal, () => this.#next.head(key, options));
  }

  async *list(
    prefix: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncGenerator<ObjectInfo> {
    const kind = await this.#begin('list', prefix, options?.signal);
    let given = 0;
    for await (const info of this.#next.list(prefix, options)) {
      if (kind === 'lost-answer' && given++ === KEYS_BEFORE_BREAK) break;
      yield info;
    }
    if (kind === 'lost-answer') throw this.#unavailable('list', prefix);
  }

  delete(keys: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<void> {
    const key = keys[0] ?? '';
    return this.#suffer('delete', key, options?.signal, () => this.#next.delete(keys, options));
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  async #suffer<T>(
    verb: StoreVerb,
    key: string,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const kind = await this.#begin(verb, key, signal);
    const answer = await work();
    if (kind === 'lost-answer') throw this.#unavailable(verb, key);
    return answer;
  }

  /** All that may happen before the request reaches the store. */
  async #begin(verb: StoreVerb, key: string, signal: AbortSignal | undefined): Promise<FaultKind> {
    const { kind, latencyMs = 0 } = this.#plan({ verb, key, count: ++this.#count });
    if (latencyMs > 0) await this.#clock.sleep(latencyMs, signal);
    if (kind === 'hang') await untilAborted(signal);
    if (kind === 'error') throw this.#unavailable(verb, key);
    return kind;
  }

  #unavailable(verb: StoreVerb, key: string) {
    return storeError('store/unavailable', `injected fault: no answer to ${verb} ${key}`);
  }
}

function garbled(body: Uint8Array): Uint8Array {
  const copy = new Uint8Array(body);
  const middle = copy.length >> 1;
  if (copy.length > 0) copy[middle] = copy[middle]! ^ 0xff;
  return copy;
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
