import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
} from '../../src/store/object-store.ts';

/** The way of one host to a store; told which request, it falls asleep just before that one. */
export class PausingStore implements ObjectStore {
  readonly #next: ObjectStore;
  #left = Infinity;
  #isMeant: (name: string) => boolean = () => true;
  #asleep = Promise.withResolvers<string>();
  #awake = Promise.withResolvers<void>();

  constructor(next: ObjectStore) {
    this.#next = next;
  }

  get location() {
    return this.#next.location;
  }
  get capabilities() {
    return this.#next.capabilities;
  }

  /**
   * The nth of those that are meant.
   * @returns what resolves with the name of the request once the host sleeps.
   */
  pauseAt(nth: number, isMeant: (name: string) => boolean = () => true): Promise<string> {
    this.#left = nth;
    this.#isMeant = isMeant;
    this.#asleep = Promise.withResolvers();
    this.#awake = Promise.withResolvers();
    return this.#asleep.promise;
  }

  wake(): void {
    this.#left = Infinity;
    this.#awake.resolve();
  }

  async put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo> {
    await this.#step(`put ${key}`);
    return this.#next.put(key, body, options);
  }

  async get(key: string, options?: GetOptions): Promise<Uint8Array> {
    await this.#step(`get ${key}`);
    return this.#next.get(key, options);
  }

  async head(
    key: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ObjectInfo | undefined> {
    await this.#step(`head ${key}`);
    return this.#next.head(key, options);
  }

  async *list(
    prefix: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncGenerator<ObjectInfo> {
    await this.#step(`list ${prefix}`);
    yield* this.#next.list(prefix, options);
  }

  async delete(
    keys: readonly string[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<void> {
    await this.#step(`delete ${keys[0] ?? ''}`);
    return this.#next.delete(keys, options);
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  async #step(name: string): Promise<void> {
    if (!this.#isMeant(name) || --this.#left > 0) return;
    this.#left = Infinity;
    this.#asleep.resolve(name);
    await this.#awake.promise;
  }
}
