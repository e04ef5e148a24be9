/** What backup/, restore/ and the agent may do with the cloud side. */
import type { Extent } from '../base/extent.ts';
import type { Geometry } from '../base/geometry.ts';
import type { ClusterId, VolumeId } from '../base/ids.ts';
import type {
  CloudsnapStatistics,
  CloudsnapType,
  Consistency,
  Manifest,
} from '../format/manifest.ts';
import type { RepairPlan } from './repair/repair-plan.ts';
import type { SweepReport, SweepRequest } from './sweep/sweep-report.ts';
import type { VerifyOptions, VerifyReport } from './verify/verify-report.ts';

// What users of a repository need to say, without knowing where the format is defined.
export type {
  CloudsnapStatistics,
  CloudsnapType,
  Consistency,
  Manifest,
} from '../format/manifest.ts';
export type { RepairPlan } from './repair/repair-plan.ts';

/** Refers to a cloudsnap that is visible in a repository. */
export interface CloudsnapEntry {
  readonly manifest: Manifest;
  /** Lower-case hex SHA-256 of the manifest's bytes. */
  readonly manifestSha256: string;
}

export interface VolumePlace {
  readonly clusterId: ClusterId;
  readonly volumeId: VolumeId;
}

/** How a volume is asked for that another host owns. */
export interface OwnOptions {
  /** At once, whatever its owner does. */
  readonly takeover?: boolean;
  /** Default: waits until the other host's lease has run out. Otherwise: refused. */
  readonly isPatient?: boolean;
  /** Told, in a sentence, when it has to wait. */
  readonly onWait?: (sentence: string) => void;
}

/** Bucket + root: where a credential points; chains belong to a volume and a repository. */
export interface CloudsnapRepository {
  /** `<store location>/<root>`: equal for two credentials that point at the same place. */
  readonly id: string;
  readonly clusterId: ClusterId;
  /**
   * Visible cloudsnaps by (volume id, sequence); tombstoned ones are left out. Manifests are cached
   * by key.
   */
  list(
    filter: { volumeId?: VolumeId; clusterId?: ClusterId; allClusters?: boolean },
    signal?: AbortSignal,
  ): Promise<CloudsnapEntry[]>;
  /** @throws `cloudsnap/not-found` */
  find(cloudsnapId: string, signal?: AbortSignal): Promise<CloudsnapEntry>;
  /** Manifest + root: a constant number of GETs, whatever the chain's length. */
  open(entry: CloudsnapEntry, signal?: AbortSignal): Promise<CloudsnapReader>;
  /**
   * Makes this host the one that writes for the volume. `begin` and everything that deletes does so
   * by itself; before a freeze it is better done beforehand, since it may have to wait.
   * @throws `cloudsnap/other-host` when the store cannot tell two hosts apart and another was here.
   */
  own(volumeId: VolumeId, options: OwnOptions, signal: AbortSignal): Promise<void>;
  /**
   * Starts an upload, or goes on with one that was cut off. Nothing is visible before commit().
   */
  begin(
    plan: CloudsnapPlan,
    signal: AbortSignal,
    options?: UploadOptions,
  ): Promise<CloudsnapWriter>;
  /** The visible cloudsnaps after this one up to the next full. */
  dependants(entry: CloudsnapEntry, signal?: AbortSignal): Promise<CloudsnapEntry[]>;
  /**
   * Tombstone first, then the objects: `mark`, then `finishDeletions`.
   * @throws `cloudsnap/has-dependants` with the list in its details.
   */
  delete(entry: CloudsnapEntry, signal?: AbortSignal): Promise<void>;
  /**
   * What the next incremental has to write again if these objects (keys) are damaged.
   * @throws `cloudsnap/corrupt` when there is no building on the parent at all.
   */
  planRepair(
    parent: CloudsnapEntry,
    damaged: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<RepairPlan>;
  /**
   * The tombstone: from here on it is invisible. Its objects stay until a deletion is finished.
   * @throws `cloudsnap/has-dependants` with the list in its details.
   */
  mark(entry: CloudsnapEntry, options: OwnOptions, signal: AbortSignal): Promise<void>;
  /**
   * Removes the objects of everything that is marked in the volume, unless a host reads them.
   * @returns how many deletions are left unfinished: to be tried again.
   */
  finishDeletions(place: VolumePlace, signal: AbortSignal): Promise<number>;
  /** Removes what an upload has stored that nobody goes on with: see discardUpload. */
  discardUpload(snapName: string, signal: AbortSignal): Promise<void>;
  /** See sweepRepository. */
  sweep(request: SweepRequest, signal: AbortSignal): Promise<SweepReport>;
  /** See verifyCloudsnap. */
  verify(cloudsnapId: string, options: VerifyOptions, signal: AbortSignal): Promise<VerifyReport>;
}

export interface CloudsnapPlan {
  readonly volume: {
    readonly id: VolumeId;
    readonly name: string;
    readonly geometry: Geometry;
    readonly fileSystem: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  /** null: a full. */
  readonly parent: CloudsnapEntry | null;
  /** What it writes again of the parent, besides what changed; its blocks are planned ones. */
  readonly repair?: RepairPlan;
  readonly fullReason: string | null;
  readonly createdMs: number;
  readonly type: CloudsnapType;
  readonly consistency: Consistency;
  readonly plannedBlocks: number;
}

export interface UploadOptions {
  /**
   * A file in which the upload writes down what has arrived, so that the next one with the same
   * path goes on: one path per volume and repository. Without it nothing can go on.
   */
  readonly journalPath?: string;
  /** Told whenever an object has arrived: a sign of life. */
  readonly onStored?: () => void;
}

/** What an upload that was cut off before is good for. */
export type EarlierUpload =
  | { readonly kind: 'none' }
  | { readonly kind: 'resumed'; readonly packs: number; readonly storedBytes: number }
  /** `reason` completes: it begins anew because … */
  | { readonly kind: 'given-up'; readonly reason: string };

/**
 * Takes planned blocks in ascending order. After any rejection the writer is dead: call abort().
 */
export interface CloudsnapWriter {
  readonly cloudsnapId: string;
  /**
   * `data` holds whole blocks from firstBlock on; it may be reused when the promise resolves. Zero
   * blocks and blocks whose content is that of the parent are recorded, not uploaded. Back
   * pressure: resolves when there is room for more.
   */
  writeBlocks(firstBlock: number, data: Uint8Array): Promise<void>;
  /** What has been done so far, for progress; blocks that were reused count as uploaded. */
  readonly statistics: CloudsnapStatistics;
  readonly earlier: EarlierUpload;
  /** Of the statistics' uploadedBlocks: those that an earlier attempt had stored. */
  readonly reusedBlocks: number;
  /**
   * Packs, index, root, then the manifest with put-if-absent: the commit point.
   * `cloudsnap/lost-race` if another writer took the sequence number, `cloudsnap/not-owner` if
   * another host took over the volume.
   */
  commit(): Promise<CloudsnapEntry>;
  /**
   * Ends the upload. What has arrived and is in the journal stays for the next one; without a
   * journal it is removed, best effort. Never throws.
   */
  abort(): Promise<{ readonly keptBytes: number }>;
}

/** Random access to the content of one cloudsnap. */
export interface CloudsnapReader {
  readonly manifest: Manifest;
  readonly geometry: Geometry;
  /**
   * Runs cover the extent exactly, ascending; a run without data is zero. One range GET per run of
   * neighbouring frames in a pack. Every byte is verified: `cloudsnap/corrupt` names the cloudsnap,
   * pack and block otherwise.
   */
  readBlocks(extent: Extent, signal?: AbortSignal): Promise<readonly ReadRun[]>;
  /** Extents that may hold data (non-zero), ascending; reads index pages as it goes. */
  dataExtents(signal?: AbortSignal): AsyncIterable<Extent>;
  close(): Promise<void>;
}

export interface ReadRun extends Extent {
  readonly data?: Uint8Array;
}
