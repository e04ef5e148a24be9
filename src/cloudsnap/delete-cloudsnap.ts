import type { CloudsnapEntry, OwnOptions } from './cloudsnap-api.ts';
import { listDependants, refuseDependants, type DeleteOptions } from './dependants.ts';
import { finishDeletions } from './finish-deletions.ts';
import { hasLivePin, pinned } from './live-pins.ts';
import { manifestKey, tombstoneKey } from './object-keys.ts';
import { encodeTombstone } from './tombstone.ts';

/**
 * Deletes a cloudsnap in an order that a crash can interrupt anywhere:
 *
 *   tombstone put       it is invisible from here on
 *   dependants looked for once more: see `finishDeletions`
 *   its roots           there is no way back from here on
 *   its other objects   all below its prefix but `open`
 *   its manifest
 *   `open`              so that a manifest without any object beside it is a listing that lies
 *   tombstone           unless its number is the volume's highest: a number never comes back
 *
 * What an earlier deletion of the same volume left undone is finished on the way.
 * @throws CloudvolError `cloudsnap/has-dependants`, `cloudsnap/in-use`
 */
export async function deleteCloudsnap(
  options: DeleteOptions,
  entry: CloudsnapEntry,
  signal: AbortSignal,
): Promise<void> {
  await markDeleted(options, entry, {}, signal);
  const { cloudsnapId, clusterId, sequence, volume } = entry.manifest;
  const key = manifestKey(clusterId, volume.id, sequence);
  const place = { clusterId, volumeId: volume.id };
  await finishDeletions(options, place, { required: key }, signal);
  options.log.info('cloudsnap.deleted', { cloudsnapId });
}

/**
 * Puts the tombstone, and nothing more. A host that pins it after this look finds it gone.
 * @throws CloudvolError `cloudsnap/has-dependants`, `cloudsnap/in-use`
 */
export async function markDeleted(
  options: DeleteOptions,
  { manifest }: CloudsnapEntry,
  own: OwnOptions,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, log, catalog, ciphers, ownership } = options;
  const { cloudsnapId, clusterId, sequence } = manifest;
  const volumeId = manifest.volume.id;
  const place = { clusterId, volumeId };
  const generation = await ownership.acquire(place, own, signal);
  refuseDependants(
    cloudsnapId,
    await listDependants(catalog, { clusterId, volumeId, sequence }, signal),
  );
  const snapName = cloudsnapId.slice(cloudsnapId.indexOf('/') + 1);
  if (await hasLivePin(store, { clusterId, snapName }, clock.nowMs(), signal)) {
    throw pinned(cloudsnapId);
  }
  const tombstone = tombstoneKey(manifestKey(clusterId, volumeId, sequence));
  const cipher = await ciphers.ofManifest(manifest, signal);
  const body = encodeTombstone(cloudsnapId, clock.nowMs(), cipher.sealing(tombstone));
  await ownership.requireStill(place, generation, signal);
  await store.put(tombstone, body, { signal });
  log.info('cloudsnap.marked-deleted', { cloudsnapId });
}
