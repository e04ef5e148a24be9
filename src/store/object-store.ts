/**
 * Where cloudsnaps live: a flat namespace of immutable-by-convention objects. Guarantees of every
 * backend and every layer (test/conformance/object-store.ts runs them):
 *
 * - `put` is atomic: a reader sees the old object, the new one, or none; never a part.
 * - After `put` or `delete` resolves, `get`, `head` and `list` see it (strong read and list after
 *   write).
 * - `put` with `ifAbsent` creates the object or throws `store/exists`; of several contenders
 *   exactly one succeeds, if they put different bytes (a lost answer is recognised by them). Only
 *   where `capabilities.conditionalPut`; otherwise it throws `store/unsupported`.
 * - `get` returns exactly the bytes asked for, or throws `store/range` when the object is shorter,
 *   `store/not-found` when there is none. Never a short body.
 * - `list` yields every key with the prefix, ascending by UTF-8 bytes, over all pages.
 * - `delete` is idempotent: a key that is not there is no error.
 * - Keys are what src/store/key.ts takes. `a` and `a/b` are never both objects: the second is
 *   `store/unsupported` where folders are real, so nobody may count on it.
 * - `put` of more than `capabilities.maxObjectBytes` is `store/unsupported`.
 * - An aborted signal ends the call with the signal's own reason.
 * - Every other failure is a CloudvolError with one of STORE_ERROR_CODES.
 */
export interface ObjectStore {
  /**
   * For people and logs: `directory:/var/lib/x`, `s3://bucket at endpoint`. Two stores with one
   * location are one store.
   */
  readonly location: string;
  readonly capabilities: StoreCapabilities;
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo>;
  get(key: string, options?: GetOptions): Promise<Uint8Array>;
  /** undefined when there is no such object. */
  head(key: string, options?: { readonly signal?: AbortSignal }): Promise<ObjectInfo | undefined>;
  list(prefix: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  delete(keys: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

export interface StoreCapabilities {
  readonly conditionalPut: boolean;
  readonly maxObjectBytes: number;
  /** Most keys that one request deletes; 1 where there is no batch delete. */
  readonly batchDelete: number;
  /** What was found out when the store was opened, for people: `it deletes one by one`. */
  readonly notes?: readonly string[];
}

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** By the store's clock, to the second where a store tells no more; of a put, about. */
  readonly modifiedMs: number;
}

export interface PutOptions {
  readonly ifAbsent?: boolean;
  readonly signal?: AbortSignal;
}

export interface GetOptions {
  /** Bytes `offset … offset + length - 1`; length > 0. */
  readonly range?: { readonly offset: number; readonly length: number };
  readonly signal?: AbortSignal;
}

export const STORE_ERROR_CODES = [
  'store/not-found', // no such object or bucket
  'store/exists', // put ifAbsent lost
  'store/range', // the object is shorter than the range asked for
  'store/unsupported', // the backend cannot do this at all
  'store/bad-key', // a key that key.ts refuses (empty, `..`, control bytes, over 1,024 bytes)
  'store/denied', // wrong or insufficient credentials
  'store/full', // no space or quota left
  'store/corrupt', // the body is not what was stored (length or checksum)
  'store/unavailable', // everything that may work when tried again: 5xx, 429, resets, time-outs
  'store/failed', // everything else; trying again does not help
] as const;
export type StoreErrorCode = (typeof STORE_ERROR_CODES)[number];

/** Longest key that S3, Azure and Google all take. */
export const MAX_KEY_BYTES = 1024;
