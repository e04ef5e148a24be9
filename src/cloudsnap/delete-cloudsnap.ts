import type { Clock } from '../base/clock.ts';
import { CloudvolError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { mapLimited } from '../base/map-limited.ts';
import { MAX_STORED_RECORD_BYTES } from '../format/json-record.ts';
import type { CloudsnapName } from '../format/cloudsnap-id.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { dependantsOf, withWholeChains } from './chain.ts';
import type { CloudsnapEntry } from './cloudsnap-api.ts';
import { readIntact } from './damage.ts';
import { isVisible, type ManifestCatalog, type Slot } from './manifest-catalog.ts';
import {
  isRootKey,
  manifestKey,
  openKey,
  rootKey,
  snapPrefix,
  tombstoneKey,
} from './object-keys.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import { decodeTombstone, encodeTombstone } from './tombstone.ts';
import { withSignal } from './with-signal.ts';

export interface DeleteOptions {
  readonly store: ObjectStore;
  readonly catalog: ManifestCatalog;
  readonly ciphers: RepositoryCipher;
  readonly clock: Clock;
  readonly log: Log;
}

/** Manifests fetched at once. */
const READS_AT_ONCE = 16;

/**
 * Deletes a cloudsnap in an order that a crash can interrupt anywhere:
 *
 *   tombstone put       it is invisible from here on
 *   dependants looked for once more: see `finishDeletion`
 *   its roots           there is no way back from here on
 *   its other objects   all below its prefix but `open`
 *   its manifest
 *   `open`              so that a manifest without any object beside it is a listing that lies
 *   tombstone           unless its number is the volume's highest: a number never comes back
 *
 * What an earlier deletion of the same volume left undone is finished on the way.
 * @throws CloudvolError `cloudsnap/has-dependants`
 */
export async function deleteCloudsnap(
  options: DeleteOptions,
  { manifest }: CloudsnapEntry,
  signal?: AbortSignal,
): Promise<void> {
  const { store, clock, log, catalog, ciphers } = options;
  const { cloudsnapId, clusterId, sequence } = manifest;
  const volumeId = manifest.volume.id;
  const key = manifestKey(clusterId, volumeId, sequence);
  const place = { clusterId, volumeId, sequence };
  refuseDependants(cloudsnapId, await listDependants(catalog, place, signal));
  const tombstone = tombstoneKey(key);
  const cipher = await ciphers.ofManifest(manifest, signal);
  const body = encodeTombstone(cloudsnapId, clock.nowMs(), cipher.sealing(tombstone));
  await store.put(tombstone, body, withSignal(signal));
  const slots = await catalog.slots(clusterId, volumeId, signal);
  const highest = Math.max(...slots.map((slot) => slot.sequence));
  for (const slot of slots.filter(({ tombstoned }) => tombstoned)) {
    try {
      await finishDeletion(options, slot, highest, signal);
    } catch (error) {
      if (slot.key === key) throw error;
      // Another's deletion is finished as a favour; the next one tries again.
      log.warn('cloudsnap.deletion-unfinished', { key: slot.key, reason: messageOf(error) });
    }
  }
  log.info('cloudsnap.deleted', { cloudsnapId });
}

/**
 * The visible cloudsnaps after this one, itself visible or not, up to the next full.
 * @throws also when a manifest of the volume cannot be read, since nobody can say then what depends
 * on what.
 */
export async function listDependants(
  catalog: ManifestCatalog,
  { clusterId, volumeId, sequence }: Pick<Slot, 'clusterId' | 'volumeId' | 'sequence'>,
  signal?: AbortSignal,
): Promise<CloudsnapEntry[]> {
  const all = await catalog.slots(clusterId, volumeId, signal);
  const slots = all.map((slot) =>
    slot.sequence === sequence ? { ...slot, tombstoned: false } : slot,
  );
  const later = slots.filter((slot) => isVisible(slot) && slot.sequence > sequence);
  const entries = await mapLimited(later, (slot) => catalog.read(slot, signal), {
    limit: READS_AT_ONCE,
    ...withSignal(signal),
  });
  return dependantsOf(sequence, withWholeChains(entries, slots));
}

function refuseDependants(cloudsnapId: string, dependants: readonly CloudsnapEntry[]): void {
  if (dependants.length === 0) return;
  const ids = dependants.map(({ manifest }) => manifest.cloudsnapId);
  throw new CloudvolError(
    'cloudsnap/has-dependants',
    `${cloudsnapId} is needed by ${ids.length} later incremental cloudsnaps: ${ids.join(', ')}`,
    { hint: 'delete those first, the latest before the others', details: { dependants: ids } },
  );
}

/**
 * Removes what is tombstoned. A child may have been published after the last look for dependants
 * and before the tombstone stood; then the tombstone is withdrawn. A child that is published later
 * than this look finds the tombstone: see CloudsnapUpload. So once the root is gone, what names
 * this cloudsnap as its parent was never committed.
 * @throws CloudvolError `cloudsnap/has-dependants` when the tombstone was withdrawn.
 */
async function finishDeletion(
  options: DeleteOptions,
  slot: Slot,
  highest: number,
  signal?: AbortSignal,
): Promise<void> {
  const { store, catalog } = options;
  const name = await readTombstone(options, slot, signal);
  // Another deletion of the same cloudsnap has come to its end.
  if (!name) return;
  const { snapName } = name;
  const cloudsnapId = `${slot.clusterId}/${snapName}`;
  const keys: string[] = [];
  const prefix = snapPrefix(slot.clusterId, snapName);
  for await (const { key } of store.list(prefix, withSignal(signal))) keys.push(key);
  const roots = keys.filter(isRootKey);
  let isWhole = roots.length > 0;
  if (slot.manifest) {
    const { manifest } = await catalog.read(slot, signal);
    requireListed(manifest.cloudsnapId, cloudsnapId, keys);
    // There may be others beside it, of attempts that were cut off.
    isWhole = keys.includes(rootKey(slot.clusterId, snapName, manifest.root.object));
  }
  const dependants = await listDependants(catalog, slot, signal);
  if (dependants.length > 0 && isWhole) {
    await store.delete([tombstoneKey(slot.key)], withSignal(signal));
    refuseDependants(cloudsnapId, dependants);
  }
  const open = openKey(slot.clusterId, snapName);
  const rounds = [
    roots,
    keys.filter((key) => !isRootKey(key) && key !== open),
    [slot.key],
    [open],
    slot.sequence === highest ? [] : [tombstoneKey(slot.key)],
  ];
  for (const round of rounds) {
    if (round.length > 0) await store.delete(round, withSignal(signal));
  }
}

/**
 * Nothing is deleted on the word of a tombstone that names another cloudsnap, or of an empty
 * listing.
 */
function requireListed(found: string, named: string, keys: readonly string[]): void {
  if (found !== named) {
    throw new CloudvolError('cloudsnap/corrupt', `the tombstone of ${found} names ${named}`, {
      hint: 'remove the tombstone by hand once it is clear which of the two was meant',
    });
  }
  if (keys.length > 0) return;
  throw new CloudvolError('cloudsnap/listing-empty', `the store shows no object of ${found}`, {
    hint: 'try again later: nothing is deleted on the word of an empty listing',
  });
}

async function readTombstone(
  { store, ciphers }: DeleteOptions,
  slot: Slot,
  signal?: AbortSignal,
): Promise<CloudsnapName | undefined> {
  const key = tombstoneKey(slot.key);
  const info = await store.head(key, withSignal(signal));
  if (!info) return undefined;
  const length = Math.max(1, Math.min(info.sizeBytes, MAX_STORED_RECORD_BYTES));
  return await readIntact(
    { cloudsnapId: slot.key, object: key },
    () => store.get(key, { range: { offset: 0, length }, ...withSignal(signal) }),
    async (bytes) => {
      const cipher = await ciphers.ofObject(slot.clusterId, key, bytes, signal);
      return decodeTombstone(bytes, slot, cipher.sealing(key));
    },
  );
}
