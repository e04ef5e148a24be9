import type { Clock } from '../../base/clock.ts';
import { Limiter } from '../../base/limiter.ts';
import { Pacer } from '../../base/pacer.ts';
import type { GetOptions, ObjectInfo, ObjectStore, PutOptions } from '../object-store.ts';

export interface LimitOptions {
  /** Most requests under way at once; more wait in order of arrival. */
  readonly maxRequests: number;
  /** Average rates that bodies keep to; a direction without a figure is not held back. */
  readonly bytesPerSecond?: { readonly up?: number; readonly down?: number };
  readonly clock: Clock;
}

/**
 * Bounds what the store is asked at once and how fast bodies flow. A body travels whole and is
 * paced by the pause after it. Listing takes no slot: it is a request now and then, for as long as
 * its reader likes to take.
 */
export class LimitStore implements ObjectStore {
  readonly #next: ObjectStore;
  readonly #requests: Limiter;
  readonly #up: Pacer | undefined;
  readonly #down: Pacer | undefined;

  constructor(next: ObjectStore, { maxRequests, bytesPerSecond = {}, clock }: LimitOptions) {
    const { up, down } = bytesPerSecond;
    this.#next = next;
    this.#requests = new Limiter(maxRequests);
    this.#up = up === undefined ? undefined : new Pacer(up, clock);
    this.#down = down === undefined ? undefined : new Pacer(down, clock);
  }

  get location() {
    return this.#next.location;
  }

  get capabilities() {
    return this.#next.capabilities;
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    // Paced before it takes a slot: who waits for the line must not keep others from asking.
    await this.#up?.take(body.length, options.signal);
    return this.#requests.run(() => this.#next.put(key, body, options), options.signal);
  }

  async get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    const { range, signal } = options;
    if (range) await this.#down?.take(range.length, signal);
    const body = await this.#requests.run(() => this.#next.get(key, options), signal);
    // Only now is the size of a whole object known: it pays afterwards, and the next one waits.
    if (!range) await this.#down?.take(body.length, signal);
    return body;
  }

  head(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ObjectInfo | undefined> {
    return this.#requests.run(() => this.#next.head(key, options), options.signal);
  }

  list(prefix: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ObjectInfo> {
    return this.#next.list(prefix, options);
  }

  delete(keys: readonly string[], options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#requests.run(() => this.#next.delete(keys, options), options.signal);
  }

  async close(): Promise<void> {
    this.#up?.close();
    this.#down?.close();
    await this.#next.close();
  }
}
