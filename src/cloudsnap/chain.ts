import { CloudvolError } from '../base/errors.ts';
import { MAX_SEQUENCE } from '../format/cloudsnap-id.ts';
import type { CloudsnapEntry, CloudsnapPlan } from './cloudsnap-api.ts';
import { isVisible, type Slot } from './manifest-catalog.ts';

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
 * @param entries visible cloudsnaps of the entry's volume.
 * @returns those after the entry up to the next full: without the entry they could not be restored.
 */
export function dependantsOf(
  entry: CloudsnapEntry,
  entries: readonly CloudsnapEntry[],
): CloudsnapEntry[] {
  const later = entries
    .filter(({ manifest }) => manifest.sequence > entry.manifest.sequence)
    .toSorted((a, b) => a.manifest.sequence - b.manifest.sequence);
  const nextFull = later.findIndex(({ manifest }) => manifest.parent === null);
  return nextFull < 0 ? later : later.slice(0, nextFull);
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
