import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { mapLimited } from '../base/map-limited.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { dependantsOf, withWholeChains } from './chain.ts';
import type { CloudsnapEntry } from './cloudsnap-api.ts';
import { isVisible, type ManifestCatalog, type Slot } from './manifest-catalog.ts';
import type { Ownership } from './ownership.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import { withSignal } from './with-signal.ts';

export interface DeleteOptions {
  readonly store: ObjectStore;
  readonly catalog: ManifestCatalog;
  readonly ciphers: RepositoryCipher;
  readonly ownership: Ownership;
  readonly clock: Clock;
  readonly log: Log;
}

/** Manifests fetched at once. */
const READS_AT_ONCE = 16;

/**
 * The visible cloudsnaps after this one, itself visible or not, up to the next full.
 * @throws also when a manifest of the volume cannot be read, since nobody can say then what depends
 * on what.
 */
export async function listDependants(
  catalog: ManifestCatalog,
  place: Pick<Slot, 'clusterId' | 'volumeId' | 'sequence'>,
  signal?: AbortSignal,
): Promise<CloudsnapEntry[]> {
  const all = await catalog.slots(place.clusterId, place.volumeId, signal);
  return await dependantsAmong(catalog, all, place.sequence, signal);
}

/** As `listDependants`, by a listing of the volume's slots that was just made. */
export async function dependantsAmong(
  catalog: ManifestCatalog,
  all: readonly Slot[],
  sequence: number,
  signal?: AbortSignal,
): Promise<CloudsnapEntry[]> {
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

/** @throws CloudvolError `cloudsnap/has-dependants` when there are some. */
export function refuseDependants(cloudsnapId: string, dependants: readonly CloudsnapEntry[]): void {
  if (dependants.length === 0) return;
  const ids = dependants.map(({ manifest }) => manifest.cloudsnapId);
  throw new CloudvolError(
    'cloudsnap/has-dependants',
    `${cloudsnapId} is needed by ${ids.length} later incremental cloudsnaps: ${ids.join(', ')}`,
    { hint: 'delete those first, the latest before the others', details: { dependants: ids } },
  );
}
