import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../base/clock.ts';
import { assertRange, resolveRange } from './byte-range.ts';
import { checkKey, checkPrefix, compareKeys } from './key.ts';
import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoreCapabilities,
} from './object-store.ts';
import { alreadyExists, keyIsFolder, notFound, storeError, tooLarge } from './store-error.ts';

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  /** What a poorer store lacks: `{ conditionalPut: false }`. */
  readonly capabilities?: Partial<StoreCapabilities>;
}

interface StoredObject {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly info: ObjectInfo;
}

const CAPABILITIES: StoreCapabilities = {
  conditionalPut: true,
  maxObjectBytes: 1 << 30,
  batchDelete: 1000,
};

/**
 * The store's contract on a Map: for tests, and the reference that the other backends are compared
 * with.
 */
export class MemoryStore implements ObjectStore {
  readonly location = `memory:${randomUUID()}`;
  readonly capabilities: StoreCapabilities;
  readonly #clock: Clock;
  readonly #objects = new Map<string, StoredObject>();
  /** How many objects lie somewhere below a folder. */
  readonly #folders = new Map<string, number>();

  constructor(options: MemoryStoreOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.capabilities = { ...CAPABILITIES, ...options.capabilities };
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const { conditionalPut, maxObjectBytes } = this.capabilities;
    if (body.length > maxObjectBytes) throw tooLarge(key, body.length, maxObjectBytes);
    if (options.ifAbsent && !conditionalPut) {
      throw storeError('store/unsupported', `${this.location} cannot put only what is absent`);
    }
    if (options.ifAbsent && this.#objects.has(key)) throw alreadyExists(key, this.location);
    this.#refuseFolder(key);
    const info = { key, sizeBytes: body.length, modifiedMs: this.#clock.nowMs() };
    if (!this.#objects.has(key)) this.#countInFolders(key, 1);
    this.#objects.set(key, { body: new Uint8Array(body), info });
    return info;
  }

  async get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    assertRange(options.range);
    options.signal?.throwIfAborted();
    const object = this.#objects.get(key);
    if (!object) throw notFound(key, this.location);
    const { offset, length } = resolveRange(key, options.range, object.body.length);
    return object.body.slice(offset, offset + length);
  }

  async head(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ObjectInfo | undefined> {
    checkKey(key);
    options.signal?.throwIfAborted();
    return this.#objects.get(key)?.info;
  }

  async *list(
    prefix: string,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    options.signal?.throwIfAborted();
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys.sort(compareKeys)) {
      options.signal?.throwIfAborted();
      const object = this.#objects.get(key);
      if (object) yield object.info;
    }
  }

  async delete(
    keys: readonly string[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    for (const key of keys) checkKey(key);
    options.signal?.throwIfAborted();
    for (const key of keys) {
      if (this.#objects.delete(key)) this.#countInFolders(key, -1);
    }
  }

  async close(): Promise<void> {}

  #refuseFolder(key: string): void {
    const isFolder = this.#folders.has(key);
    if (isFolder || foldersOf(key).some((folder) => this.#objects.has(folder))) {
      throw keyIsFolder(key, this.location);
    }
  }

  #countInFolders(key: string, change: 1 | -1): void {
    for (const folder of foldersOf(key)) {
      const count = (this.#folders.get(folder) ?? 0) + change;
      if (count > 0) this.#folders.set(folder, count);
      else this.#folders.delete(folder);
    }
  }
}

/** `a` and `a/b` for `a/b/c`. */
function foldersOf(key: string): string[] {
  return [...key.matchAll(/\//g)].map((slash) => key.slice(0, slash.index));
}
