import type { ObjectStore } from '../../store/object-store.ts';

/**
 * What lies in the store, by listing: one listing for each cloudsnap that objects are asked of, a
 * request per thousand objects. A listing may be stale, so what it lacks is asked for by key, once.
 */
export class StoredObjects {
  readonly #store: ObjectStore;
  readonly #folders = new Map<string, Promise<ReadonlyMap<string, number>>>();
  /** Sizes of the objects that a listing lacked, or showed to be too short. */
  readonly #asked = new Map<string, number | undefined>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** What is wrong with an object that needs this many bytes; undefined: it is there. */
  async faultOf(key: string, bytes: number, signal: AbortSignal): Promise<string | undefined> {
    const prefix = key.slice(0, key.lastIndexOf('/') + 1);
    const listing = this.#folders.get(prefix) ?? this.#list(prefix, signal);
    this.#folders.set(prefix, listing);
    const listed = (await listing).get(key.slice(prefix.length));
    if (listed !== undefined && listed >= bytes) return undefined;
    const sizeBytes = await this.#ask(key, signal);
    if (sizeBytes === undefined) return 'it is missing';
    return sizeBytes < bytes ? `it has ${sizeBytes} bytes, and ends too early` : undefined;
  }

  async #ask(key: string, signal: AbortSignal): Promise<number | undefined> {
    if (!this.#asked.has(key)) {
      this.#asked.set(key, (await this.#store.head(key, { signal }))?.sizeBytes);
    }
    return this.#asked.get(key);
  }

  async #list(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for await (const { key, sizeBytes } of this.#store.list(prefix, { signal })) {
      sizes.set(key.slice(prefix.length), sizeBytes);
    }
    return sizes;
  }
}
