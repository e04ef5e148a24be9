import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
} from '../../src/store/object-store.ts';

/**
 * A process's way to a store. It tells of every request before and after it takes effect, and once
 * `die` was called no request gets through any more: what a killed process had in mind does not
 * happen.
 */
export class MortalStore implements ObjectStore {
  readonly #next: ObjectStore;
  readonly #onStep: (name: string) => void;
  #dead = false;

  constructor(next: ObjectStore, onStep: (name: string) => void) {
    this.#next = next;
    this.#onStep = onStep;
  }

  get location() {
    return this.#next.location;
  }
  get capabilities() {
    return this.#next.capabilities;
  }

  die(): void {
    this.#dead = true;
  }

  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo> {
    return this.#live(`put ${key}`, () => this.#next.put(key, body, options));
  }

  get(key: string, options?: GetOptions): Promise<Uint8Array> {
    return this.#live(`get ${key}`, () => this.#next.get(key, options));
  }

  head(key: string, options?: { readonly signal?: AbortSignal }): Promise<ObjectInfo | undefined> {
    return this.#live(`head ${key}`, () => this.#next.head(key, options));
  }

  async *list(
    prefix: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncGenerator<ObjectInfo> {
    this.#step(`list ${prefix}`);
    yield* this.#next.list(prefix, options);
    this.#step(`list ${prefix} done`);
  }

  delete(keys: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<void> {
    return this.#live(`delete ${keys[0] ?? ''}`, () => this.#next.delete(keys, options));
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  async #live<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#step(name);
    const answer = await work();
    this.#step(`${name} done`);
    return answer;
  }

  #step(name: string): void {
    this.#requireAlive();
    this.#onStep(name);
    this.#requireAlive();
  }

  #requireAlive(): void {
    if (this.#dead) throw new Error('the process is dead');
  }
}
