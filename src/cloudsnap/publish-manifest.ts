import { CloudvolError, hasCode } from '../base/errors.ts';
import type { ObjectStore } from '../store/object-store.ts';

/**
 * Puts a manifest where there is none. When the outcome of the put is unknown, looks: a lost answer
 * is a success. On a store without conditional puts it looks first and then puts, which holds
 * between the cloudsnaps of one host, but is no fence between two hosts.
 * @throws CloudvolError `cloudsnap/lost-race` when another writer's manifest is there: this one
 * will never be. After any other error it may still come to be.
 */
export async function publishManifest(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (!store.capabilities.conditionalPut) {
    if (await store.head(key, { signal })) throw lostRace(key);
    await store.put(key, bytes, { signal });
    return;
  }
  try {
    await store.put(key, bytes, { ifAbsent: true, signal });
  } catch (error) {
    const found = await lookUp(store, key, bytes.length, signal);
    if (found && Buffer.compare(found, bytes) === 0) return;
    throw hasCode(error, 'store/exists') ? lostRace(key, error) : error;
  }
}

/** What lies there, as far as it can be ours; undefined when that is nothing, or nobody can say. */
async function lookUp(
  store: ObjectStore,
  key: string,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return await store.get(key, { range: { offset: 0, length }, signal });
  } catch {
    // The put's own error says more than that of this second look, and is what the caller throws.
    return undefined;
  }
}

function lostRace(key: string, cause?: unknown): CloudvolError {
  return new CloudvolError('cloudsnap/lost-race', `another writer was first to put ${key}`, {
    hint: 'let one host at a time back up a volume, then try again',
    details: { key },
    ...(cause === undefined ? {} : { cause }),
  });
}
