/**
 * What the rest of the program may do with a volume; `Volume` (volume.ts) is the implementation.
 */
import type { Extent } from '../base/extent.ts';
import type { Geometry } from '../base/geometry.ts';
import type { VolumeId } from '../base/ids.ts';
import type { FetchedRun } from './backing-source.ts';

/** Names of file systems that cloudvol makes and mounts; `none` is a raw volume. */
export type FileSystem = 'ext4' | 'xfs' | 'none';

export interface VolumeAttributes {
  readonly name: string;
  readonly geometry: Geometry;
  readonly fileSystem: FileSystem;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The end of a chain in one repository, as this volume knows it. Replaced as a whole, atomically.
 */
export interface ChainTip {
  /** Which repository: see Repository.id. */
  readonly repositoryId: string;
  /** Deltas after this epoch are what the next incremental uploads. */
  readonly baseEpoch: number;
  readonly cloudsnapId: string;
  /** Lower-case hex SHA-256 of the manifest's bytes. */
  readonly manifestSha256: string;
  readonly sequence: number;
  /** Incrementals since the last full: 0 right after a full. */
  readonly incrementals: number;
}

/**
 * The cloudsnap whose commit is about to begin. Written down before its manifest is put, so that a
 * crash between that and `commitChain` leaves no doubt which instant the manifest holds, and it can
 * be adopted as the chain's end.
 */
export interface PendingCommit {
  readonly repositoryId: string;
  readonly cloudsnapId: string;
  /** The epoch that its freeze sealed: the base epoch of the chain if it is adopted. */
  readonly epoch: number;
  /** Milliseconds since 1970 UTC: the instant of the freeze, as its manifest says it. */
  readonly createdMs: number;
}

/** Why the next cloudsnap is a full one. Printed in `status` and in the manifest. */
export type FullReason =
  | 'first'
  | 'requested'
  | 'period'
  | 'bits-lost' // the deltas since the chain's end are not complete
  | 'parent-missing' // the manifest at the chain's end is gone from the repository, or another
  | 'chain-unknown' // the repository shows cloudsnaps that this volume's chain does not name
  | 'chain-damaged' // what the next incremental would build on cannot be read
  | 'geometry-changed'; // another block size, or a smaller volume, than at the chain's end

/**
 * A point in time of a volume, held while writes go on (copy-before-write). Exactly one release()
 * per view. Once a view is broken (a copy failed, e.g. for want of space) every read throws
 * `volume/view-broken`.
 */
export interface FrozenView {
  readonly geometry: Geometry;
  /** The epoch that the freeze sealed. */
  readonly epoch: number;
  /** Time of the instant, ms since 1970 UTC. */
  readonly frozenAtMs: number;
  /**
   * What the view holds, ascending: for an incremental the OR of the deltas, for a full everything
   * that may be non-zero.
   */
  extents(): Iterable<Extent>;
  readonly plannedBlocks: number;
  /**
   * Reads blocks as they were at the instant into `target` (blockCount * blockBytes). Returns the
   * runs of blocks that are not local and whose bytes come from the volume's backing source (their
   * part of `target` is undefined).
   */
  readBlocks(extent: Extent, target: Uint8Array): Promise<readonly Extent[]>;
  /** The blocks were uploaded; the view need not preserve them any longer. */
  forget(extent: Extent): void;
  release(): Promise<void>;
}

/**
 * A point in time for which nothing is planned yet, as of a backup that waits: all of it is
 * preserved, so that each block which is overwritten costs a copy, whoever wants it later.
 */
export interface HeldInstant {
  readonly epoch: number;
  /** Time of the instant, ms since 1970 UTC. */
  readonly frozenAtMs: number;
  /**
   * Once: only what `plan` names is preserved from now on. Rejects as `freeze` does, and then the
   * instant is still held. Instants of a volume are settled in the order in which they were taken.
   */
  settle(plan: PlanKind): Promise<FrozenView>;
  /** Ends the view that `settle` gave as well. */
  release(): Promise<void>;
}

export type PlanKind =
  | { readonly kind: 'full'; readonly reason: FullReason }
  | {
      readonly kind: 'incremental';
      readonly base: ChainTip;
      /** Blocks that the view holds besides what changed: see RepairPlan. */
      readonly also?: readonly Extent[];
    };

/** The side of a volume that a backup needs. */
export interface BackupSource {
  readonly id: VolumeId;
  readonly attributes: VolumeAttributes;
  chainTip(repositoryId: string): ChainTip | undefined;
  /**
   * One instant. `plan` fixes what the view preserves. Rejects with `volume/too-many-views` beyond
   * six.
   */
  freeze(plan: PlanKind): Promise<FrozenView>;
  /** One instant now, its plan later. Rejects as `freeze` does. */
  hold(): Promise<HeldInstant>;
  /**
   * Whether deltas since the tip's base epoch are complete; false after a power cut or a
   * rolled-back state directory.
   */
  deltasCompleteSince(baseEpoch: number): boolean;
  /**
   * Success: the next incremental starts at tip.baseEpoch. Clears the pending commit. Durable when
   * it resolves.
   */
  commitChain(tip: ChainTip): Promise<void>;
  pendingCommit(repositoryId: string): PendingCommit | undefined;
  /**
   * Durable when it resolves; replaces the one before for the same repository. Deltas after `epoch`
   * are kept apart from the older ones as long as the record stands, as they are for a chain's base
   * epoch and for an open view.
   */
  recordPendingCommit(pending: PendingCommit): Promise<void>;
  /**
   * Where an upload to the repository is written down, so that it can go on after it was cut off;
   * undefined for a volume that keeps nothing. Lies and goes with the volume's state.
   */
  uploadJournalPath(repositoryId: string): string | undefined;
  /** Forgets the tip and the pending commit: the next cloudsnap there is a full one. */
  dropChain(repositoryId: string): Promise<void>;
  /**
   * Bytes of absent blocks; only while the volume has a backing source. A view that answered "not
   * local" for a block may ask for it until its release, even if the block was overwritten or
   * hydration completed in between.
   */
  readAbsent(extent: Extent, signal: AbortSignal): Promise<Uint8Array>;
}

/** The side of a volume that a restore fills. Demand reads go on beside it. */
export interface HydrationTarget {
  readonly id: VolumeId;
  readonly geometry: Geometry;
  readonly absentBlocks: number;
  /** Bytes per second that it is filled with in the background; undefined: no limit. */
  readonly hydrationRate?: number | undefined;
  /** A snapshot of what is absent, ascending, in pieces of at most `maxBlocks`. */
  absentExtents(maxBlocks: number): Iterable<Extent>;
  /** Makes blocks present; never overwrites a present one. A run without data becomes zeros. */
  populate(run: FetchedRun): Promise<void>;
  /** Data synced, present bits durable, source dropped: the volume needs the cloud no more. */
  completeHydration(): Promise<void>;
}
