import type { ClusterId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { notEncrypted, wrongPassphrase } from './credential-mismatch.ts';
import { damaged, readIntact } from './damage.ts';
import { MAX_MARKER_BYTES, decodeClusterMarker } from './cluster-marker.ts';
import { encodeKeySlots, unwrapMasterKey, wrapMasterKey } from './key-slots.ts';
import { clusterKey, masterKeyKey } from './object-keys.ts';
import { notFound } from './manifest-catalog.ts';
import { readKeySlots } from './read-key-slots.ts';

export interface ChangePassphraseOptions {
  readonly store: ObjectStore;
  readonly clusterId: ClusterId;
  readonly from: string;
  readonly to: string;
  /** Keeps the keys object as it was, durably, before it is first written again. */
  readonly keepCopy: (keysObject: Uint8Array) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * From now on `to` opens the root, and `from` does not. Rewrites the keys object only: the master
 * key stays, and so does all data. The old way in is taken away when the new one has been read back
 * and opened, so that a crash at any step leaves one that works; until then both do, and the change
 * can be made again.
 *
 * Not for two hosts at once: the later one would undo the slot of the earlier one.
 * @throws CloudvolError `cloudsnap/wrong-passphrase`, `cloudsnap/not-encrypted`,
 * `cloudsnap/not-found` when there is no such root.
 */
export async function changePassphrase(options: ChangePassphraseOptions): Promise<void> {
  const { store, clusterId, from, to, keepCopy, signal } = options;
  const masterKeyId = await readMasterKeyId(options);
  const key = masterKeyKey(clusterId, masterKeyId);
  const before = await readKeySlots(store, clusterId, masterKeyId, signal);
  const old = await unwrapMasterKey(before, from);
  if (!old) throw wrongPassphrase(clusterId);
  const slot = await wrapMasterKey(old.masterKey, to, before);
  await keepCopy(encodeKeySlots(before));
  const others = before.slots.filter((each) => each !== old.slot);
  const both = { ...before, slots: [slot, old.slot, ...others] };
  await store.put(key, encodeKeySlots(both), { signal });
  const found = await readKeySlots(store, clusterId, masterKeyId, signal);
  const opened = await unwrapMasterKey({ ...found, slots: found.slots.slice(0, 1) }, to);
  if (!opened || Buffer.compare(opened.masterKey, old.masterKey) !== 0) {
    const where = { cloudsnapId: clusterId, object: key };
    throw damaged(where, 'the new passphrase does not open what was just written');
  }
  await store.put(key, encodeKeySlots({ ...before, slots: [slot, ...others] }), { signal });
}

async function readMasterKeyId({ store, clusterId, signal }: ChangePassphraseOptions) {
  const key = clusterKey(clusterId);
  const info = await store.head(key, { signal });
  if (!info) throw notFound(clusterId);
  const range = { offset: 0, length: Math.max(1, Math.min(info.sizeBytes, MAX_MARKER_BYTES)) };
  const { masterKeyId } = await readIntact(
    { cloudsnapId: clusterId, object: key },
    () => store.get(key, { range, signal }),
    (bytes) => decodeClusterMarker(bytes, clusterId),
  );
  if (masterKeyId === undefined) throw notEncrypted(clusterId);
  return masterKeyId;
}
