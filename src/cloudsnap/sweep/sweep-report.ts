/** What a sweep is told, and what it says. */

export type LeftoverKind =
  /** Marked as deleted, and not all of it was removed. */
  | 'unfinished-deletion'
  /** Begun, and never published. */
  | 'dead-upload'
  /** Published, while the cloudsnap that it is laid over was removed: nobody can restore it. */
  | 'orphan'
  /** Objects without the one that every upload begins with. */
  | 'stray-objects';

export interface Leftover {
  readonly kind: LeftoverKind;
  readonly cloudsnapId: string;
  readonly volumeId: string;
  readonly objects: number;
  readonly bytes: number;
  /** `found` by a dry run; `kept`: it could not be removed now, `note` says why. */
  readonly outcome: 'found' | 'removed' | 'kept';
  readonly note?: string;
}

export interface SweepReport {
  readonly leftovers: readonly Leftover[];
  /** Objects that were looked through: a listing costs a request for each 1,000. */
  readonly listedObjects: number;
  /** Objects that tried out the store, of processes that were killed meanwhile. */
  readonly trialObjects: number;
}

export interface SweepRequest {
  /** Snap names of uploads that may go on: nothing of theirs is removed. */
  readonly keep: ReadonlySet<string>;
  /** Finds, and removes nothing; nothing is written either. */
  readonly dryRun: boolean;
  /** Takes the volumes of another host over that have leftovers, whatever that host does. */
  readonly takeover?: boolean;
  /** Told after each leftover. */
  readonly onLeftover?: (leftover: Leftover) => void;
}
