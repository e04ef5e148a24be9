import type { Clock } from '../base/clock.ts';
import { hasCode } from '../base/errors.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { MAX_ABORTED_BYTES, decodeAborted, encodeAborted } from './aborted-record.ts';
import type { ManifestCatalog, Slot } from './manifest-catalog.ts';
import { manifestKey } from './object-keys.ts';
import { readRecord } from './read-record.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import { withSignal } from './with-signal.ts';

export interface OccupyOptions {
  readonly store: ObjectStore;
  readonly catalog: ManifestCatalog;
  readonly ciphers: RepositoryCipher;
  readonly clock: Clock;
}

/** What lies at the key of a manifest: the id of a cloudsnap, or a record that gives it up. */
export type Occupant = { readonly cloudsnapId: string } | 'aborted';

/**
 * Makes sure that nobody can publish under this number any more, by a record where the manifest
 * would be; or finds the manifest that is there already. Looks at the key itself, never at a
 * listing. Where the store cannot put conditionally it looks first and then puts.
 * @throws CloudvolError `cloudsnap/corrupt` when what is there cannot be read.
 */
export async function occupyNumber(
  options: OccupyOptions,
  place: Pick<Slot, 'clusterId' | 'volumeId' | 'sequence'>,
  generation: number,
  signal?: AbortSignal,
): Promise<Occupant> {
  const found = await occupantOf(options, place, signal);
  if (found) return found;
  const { store, ciphers, clock } = options;
  const { clusterId, volumeId, sequence } = place;
  const key = manifestKey(clusterId, volumeId, sequence);
  const cipher = await ciphers.forWriting(clusterId, signal ?? new AbortController().signal);
  const end = { generation, abortedMs: clock.nowMs() };
  const body = encodeAborted(place, end, cipher.sealing(key));
  const ifAbsent = store.capabilities.conditionalPut;
  try {
    await store.put(key, body, { ifAbsent, ...withSignal(signal) });
    return 'aborted';
  } catch (error) {
    // Somebody was first, or it was this put, whose answer was lost.
    const now = hasCode(error, 'store/exists') && (await occupantOf(options, place, signal));
    if (!now) throw error;
    return now;
  }
}

async function occupantOf(
  options: OccupyOptions,
  place: Pick<Slot, 'clusterId' | 'volumeId' | 'sequence'>,
  signal?: AbortSignal,
): Promise<Occupant | undefined> {
  const { store, catalog } = options;
  const { clusterId, volumeId, sequence } = place;
  const key = manifestKey(clusterId, volumeId, sequence);
  const info = await store.head(key, withSignal(signal));
  if (!info) return undefined;
  if (info.sizeBytes <= MAX_ABORTED_BYTES) {
    try {
      const at = { clusterId, key };
      await readRecord(
        options,
        at,
        (bytes, sealing) => decodeAborted(bytes, place, sealing),
        signal,
      );
      return 'aborted';
    } catch (error) {
      // It may be a manifest: then it is read as one, or refused as a damaged one.
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
    }
  }
  const slot = { ...place, key, manifest: info, tombstoned: false };
  const { manifest } = await catalog.read(slot, signal);
  return { cloudsnapId: manifest.cloudsnapId };
}
