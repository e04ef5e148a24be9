import { CloudvolError } from '../base/errors.ts';
import { MAX_SEQUENCE, parseCloudsnapId } from '../format/cloudsnap-id.ts';
import type { Manifest } from '../format/manifest.ts';
import type { CloudsnapEntry, CloudsnapPlan } from './cloudsnap-api.ts';
import { isVisible, type Slot } from './manifest-catalog.ts';
import { manifestKey } from './object-keys.ts';

/**
 * The rules of chains, without I/O. Between two fulls the visible cloudsnaps of a volume are one
 * line: an incremental's parent is always the latest visible cloudsnap.
 */

/** A number that was never taken: above every manifest and every tombstone. */
export function nextSequence(slots: readonly Slot[]): number {
  const next = 1 + slots.reduce((highest, { sequence }) => Math.max(highest, sequence), 0);
  if (next <= MAX_SEQUENCE) return next;
  throw new CloudvolError('cloudsnap/no-sequence', `the volume has no sequence number left`, {
    hint: 'back it up to another bucket',
  });
}

/**
 * @param entries visible cloudsnaps of one volume.
 * @returns those after the sequence number up to the next full: without the cloudsnap that has the
 * number they could not be restored.
 */
export function dependantsOf(
  sequence: number,
  entries: readonly CloudsnapEntry[],
): CloudsnapEntry[] {
  const later = entries
    .filter(({ manifest }) => manifest.sequence > sequence)
    .toSorted((a, b) => a.manifest.sequence - b.manifest.sequence);
  const nextFull = later.findIndex(({ manifest }) => manifest.parent === null);
  return nextFull < 0 ? later : later.slice(0, nextFull);
}

/**
 * Leaves out incrementals that have lost their parent, or whose parent has: a writer that was cut
 * off after its manifest may not have learnt that the parent was being deleted.
 * @param slots all of the volumes that the entries are of.
 */
export function withWholeChains(
  entries: readonly CloudsnapEntry[],
  slots: readonly Slot[],
): CloudsnapEntry[] {
  const present = new Set(slots.filter(isVisible).map(({ key }) => key));
  const ascending = entries.toSorted((a, b) => a.manifest.sequence - b.manifest.sequence);
  for (const { manifest } of ascending) {
    const parent = parentKey(manifest);
    if (parent === undefined || present.has(parent)) continue;
    present.delete(manifestKey(manifest.clusterId, manifest.volume.id, manifest.sequence));
  }
  return entries.filter(({ manifest: { clusterId, volume, sequence } }) =>
    present.has(manifestKey(clusterId, volume.id, sequence)),
  );
}

/** Key of the parent's manifest; undefined for a full. */
export function parentKey({ clusterId, volume, parent }: Manifest): string | undefined {
  const name = parent && parseCloudsnapId(parent.cloudsnapId);
  return name ? manifestKey(clusterId, volume.id, name.sequence) : undefined;
}

/**
 * Whether the plan's parent, if any, can be the parent.
 * @param slots of the plan's volume.
 * @throws CloudvolError `cloudsnap/parent-missing`, `cloudsnap/parent-not-latest`,
 * `cloudsnap/parent-mismatch`
 */
export function checkParent(plan: CloudsnapPlan, slots: readonly Slot[]): void {
  if (!plan.parent) return;
  const { cloudsnapId, sequence, volume } = plan.parent.manifest;
  const refuse = (reason: string, sentence: string) =>
    new CloudvolError(`cloudsnap/${reason}`, sentence, {
      hint: 'take a full cloudsnap',
      details: { cloudsnapId },
    });
  const { geometry } = plan.volume;
  if (volume.id !== plan.volume.id || volume.blockBytes !== geometry.blockBytes) {
    const other = `volume ${volume.id} in blocks of ${volume.blockBytes} bytes`;
    throw refuse('parent-mismatch', `the parent ${cloudsnapId} is of ${other}`);
  }
  if (volume.sizeBytes > geometry.sizeBytes) {
    throw refuse('parent-mismatch', `the parent ${cloudsnapId} is larger than the volume`);
  }
  const visible = slots.filter(isVisible);
  if (!visible.some((slot) => slot.sequence === sequence)) {
    throw refuse('parent-missing', `the parent ${cloudsnapId} is no longer there`);
  }
  if (visible.some((slot) => slot.sequence > sequence)) {
    throw refuse('parent-not-latest', `there is a later cloudsnap than the parent ${cloudsnapId}`);
  }
}
