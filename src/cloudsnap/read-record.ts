import type { ClusterId } from '../base/ids.ts';
import type { Sealing } from '../format/envelope.ts';
import { MAX_STORED_RECORD_BYTES } from '../format/json-record.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { readIntact } from './damage.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import { withSignal } from './with-signal.ts';

export interface StoredRecord<T> {
  readonly value: T;
  readonly info: ObjectInfo;
}

/**
 * Reads a small record and when it was written; undefined when there is none.
 * @throws CloudvolError `cloudsnap/corrupt`, and what the store throws.
 */
export async function readRecord<T>(
  { store, ciphers }: { readonly store: ObjectStore; readonly ciphers: RepositoryCipher },
  { clusterId, key }: { readonly clusterId: ClusterId; readonly key: string },
  decode: (bytes: Uint8Array, sealing: Sealing | undefined) => T,
  signal?: AbortSignal,
): Promise<StoredRecord<T> | undefined> {
  const info = await store.head(key, withSignal(signal));
  if (!info) return undefined;
  const length = Math.max(1, Math.min(info.sizeBytes, MAX_STORED_RECORD_BYTES));
  const value = await readIntact(
    { cloudsnapId: key, object: key },
    () => store.get(key, { range: { offset: 0, length }, ...withSignal(signal) }),
    async (bytes) => {
      const cipher = await ciphers.ofObject(clusterId, key, bytes, signal);
      return decode(bytes, cipher.sealing(key));
    },
  );
  return { value, info };
}
