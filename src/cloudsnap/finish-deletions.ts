import { CloudvolError, hasCode, messageOf } from '../base/errors.ts';
import type { CloudsnapName } from '../format/cloudsnap-id.ts';
import type { VolumePlace } from './cloudsnap-api.ts';
import { dependantsAmong, refuseDependants, type DeleteOptions } from './dependants.ts';
import { hasLivePin } from './live-pins.ts';
import type { Slot } from './manifest-catalog.ts';
import { isRootKey, openKey, rootKey, snapPrefix, tombstoneKey } from './object-keys.ts';
import { readRecord, type StoredRecord } from './read-record.ts';
import { decodeTombstone } from './tombstone.ts';

export interface FinishOptions {
  /** Key of the manifest whose deletion has to be finished; others are a favour. */
  readonly required?: string;
}

/**
 * Removes the objects of everything that is tombstoned in a volume.
 * @returns how many deletions are left unfinished: to be tried again.
 * @throws what goes wrong with the one that is required; the others are tried again the next time.
 */
export async function finishDeletions(
  options: DeleteOptions,
  place: VolumePlace,
  { required }: FinishOptions,
  signal: AbortSignal,
): Promise<number> {
  const { catalog, ownership, log } = options;
  const generation = await ownership.ensure(place, signal);
  const slots = await catalog.slots(place.clusterId, place.volumeId, signal);
  let unfinished = 0;
  // The latest first: what is left when this is cut off are whole chains.
  const marked = slots.filter(({ tombstoned }) => tombstoned).toReversed();
  for (const slot of marked) {
    try {
      await ownership.renewIfDue(place, signal);
      const outcome = await finishDeletion(options, slot, { generation, storeNowMs: 0 }, signal);
      if (outcome === 'pinned') unfinished += 1;
    } catch (error) {
      if (slot.key === required) throw error;
      signal.throwIfAborted();
      // One that was taken back is no deletion any more.
      if (hasCode(error, 'cloudsnap/has-dependants')) continue;
      unfinished += 1;
      log.warn('cloudsnap.deletion-unfinished', { key: slot.key, reason: messageOf(error) });
    }
  }
  return unfinished;
}

export interface Finishing {
  /** Under which the volume is owned. */
  readonly generation: number;
  /** By the store's clock, if something newer than the tombstone is known. */
  readonly storeNowMs: number;
}

/**
 * Removes what is tombstoned. A child may have been published after the last look for dependants
 * and before the tombstone stood; then the tombstone is withdrawn. A child that is published later
 * than this look finds the tombstone: see CloudsnapUpload. So once the root is gone, what names
 * this cloudsnap as its parent was never committed.
 * @returns `pinned` when a host still reads from it, or from one that needs it: nothing was
 * removed.
 * @throws CloudvolError `cloudsnap/has-dependants` when the tombstone was withdrawn.
 */
export async function finishDeletion(
  options: DeleteOptions,
  slot: Slot,
  { generation, storeNowMs }: Finishing,
  signal: AbortSignal,
): Promise<'finished' | 'pinned'> {
  const { store, catalog, ownership } = options;
  const tombstone = await readTombstone(options, slot, signal);
  // Another deletion of the same cloudsnap has come to its end.
  if (!tombstone) return 'finished';
  const { clusterId, volumeId } = slot;
  const { snapName } = tombstone.value;
  const cloudsnapId = `${clusterId}/${snapName}`;
  const keys: string[] = [];
  const prefix = snapPrefix(clusterId, snapName);
  for await (const { key } of store.list(prefix, { signal })) keys.push(key);
  const roots = keys.filter(isRootKey);
  let isWhole = roots.length > 0;
  if (slot.manifest) {
    const { manifest } = await catalog.read(slot, signal);
    requireListed(manifest.cloudsnapId, cloudsnapId, keys);
    // There may be others beside it, of attempts that were cut off.
    isWhole = keys.includes(rootKey(clusterId, snapName, manifest.root.object));
  }
  const slots = await catalog.slots(clusterId, volumeId, signal);
  const dependants = await dependantsAmong(catalog, slots, slot.sequence, signal);
  if (dependants.length > 0 && isWhole) {
    await store.delete([tombstoneKey(slot.key)], { signal });
    refuseDependants(cloudsnapId, dependants);
  }
  const nowMs = Math.max(storeNowMs, tombstone.info.modifiedMs);
  if (await isPinned(options, { snapName, slot, slots, nowMs }, signal)) return 'pinned';
  await ownership.requireStill({ clusterId, volumeId }, generation, signal);
  const open = openKey(clusterId, snapName);
  const highest = Math.max(...slots.map(({ sequence }) => sequence));
  const rounds = [
    roots,
    keys.filter((key) => !isRootKey(key) && key !== open),
    // A record that gives the number up stays: somebody may still reach for it.
    slot.aborted ? [] : [slot.key],
    [open],
    slot.sequence === highest ? [] : [tombstoneKey(slot.key)],
  ];
  for (const round of rounds) {
    if (round.length > 0) await store.delete(round, { signal });
  }
  return 'finished';
}

interface Pinning {
  readonly snapName: string;
  readonly slot: Slot;
  readonly slots: readonly Slot[];
  readonly nowMs: number;
}

/**
 * By itself, or by a later one that is marked and not removed: that one may need it, and nobody
 * sees it any more.
 */
async function isPinned(
  options: DeleteOptions,
  { snapName, slot, slots, nowMs }: Pinning,
  signal: AbortSignal,
): Promise<boolean> {
  const { clusterId } = slot;
  if (await hasLivePin(options.store, { clusterId, snapName }, nowMs, signal)) return true;
  const later = slots.filter(
    ({ sequence, tombstoned, manifest }) => sequence > slot.sequence && tombstoned && manifest,
  );
  for (const each of later) {
    const tombstone = await readTombstone(options, each, signal);
    if (!tombstone) continue;
    const pin = { clusterId, snapName: tombstone.value.snapName };
    if (await hasLivePin(options.store, pin, nowMs, signal)) return true;
  }
  return false;
}

/** @returns undefined when it is gone. */
export function readTombstone(
  options: Pick<DeleteOptions, 'store' | 'ciphers'>,
  slot: Slot,
  signal: AbortSignal,
): Promise<StoredRecord<CloudsnapName> | undefined> {
  const { clusterId } = slot;
  const key = tombstoneKey(slot.key);
  return readRecord(
    options,
    { clusterId, key },
    (bytes, sealing) => decodeTombstone(bytes, slot, sealing),
    signal,
  );
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
