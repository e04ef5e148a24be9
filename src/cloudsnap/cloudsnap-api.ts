/** What backup/, restore/ and the agent may do with the cloud side. */
import type { Extent } from '../base/extent.ts';
import type { Geometry } from '../base/geometry.ts';
import type { ClusterId, VolumeId } from '../base/ids.ts';

/** How a cloudsnap came about: the TYPE column. */
export type CloudsnapType = 'Manual' | 'Periodic' | 'Daily' | 'Weekly' | 'Monthly';
export type Consistency = 'crash' | 'file-system' | 'application';

/** The manifest: the one object that makes a cloudsnap exist. JSON, at most 64 KiB, written last, never changed. */
export interface Manifest {
  readonly formatVersion: 1;
  /** `<cluster uuid>/<volumeId>-<snapId>[-incr]`, as users see it. */
  readonly cloudsnapId: string;
  readonly clusterId: ClusterId;
  readonly sequence: number;
  readonly parent: { readonly cloudsnapId: string; readonly manifestSha256: string } | null;
  /** Incrementals since the last full: 0 for a full. */
  readonly incrementals: number;
  readonly fullReason: string | null;
  readonly volume: {
    readonly id: VolumeId;
    readonly name: string;
    readonly sizeBytes: number;
    readonly blockBytes: number;
    readonly fileSystem: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  /** Milliseconds since 1970 UTC: the instant of the freeze. */
  readonly createdMs: number;
  readonly type: CloudsnapType;
  readonly consistency: Consistency;
  readonly root: { readonly object: string; readonly lengthBytes: number; readonly sha256: string };
  readonly statistics: CloudsnapStatistics;
}

export interface CloudsnapStatistics {
  /** Blocks that the plan named: dirty ones, or all that may hold data. */
  readonly plannedBlocks: number;
  /** Planned blocks that turned out to be zero, or to have the same content as in the parent: not uploaded. */
  readonly zeroBlocks: number;
  readonly unchangedBlocks: number;
  readonly uploadedBlocks: number;
  /** Plain bytes of uploadedBlocks. */
  readonly uploadedPlainBytes: number;
  /** Bytes of all objects put for this cloudsnap but the manifest. */
  readonly storedBytes: number;
  readonly packs: number;
}

/** Refers to a cloudsnap that is visible in a repository. */
export interface CloudsnapEntry {
  readonly manifest: Manifest;
  /** Lower-case hex SHA-256 of the manifest's bytes. */
  readonly manifestSha256: string;
}

/** Bucket + root: where a credential points; chains belong to a volume and a repository. */
export interface CloudsnapRepository {
  /** `<store location>/<root>`: equal for two credentials that point at the same place. */
  readonly id: string;
  readonly clusterId: ClusterId;
  /** Visible cloudsnaps by (volume id, sequence); tombstoned ones are left out. Manifests are cached by key. */
  list(filter: { volumeId?: VolumeId; allClusters?: boolean }, signal?: AbortSignal): Promise<CloudsnapEntry[]>;
  /** @throws `cloudsnap/not-found` */
  find(cloudsnapId: string, signal?: AbortSignal): Promise<CloudsnapEntry>;
  /** Manifest + root: a constant number of GETs, whatever the chain's length. */
  open(entry: CloudsnapEntry, signal?: AbortSignal): Promise<CloudsnapReader>;
  /** Starts an upload. Nothing is visible before commit(). */
  begin(plan: CloudsnapPlan, signal: AbortSignal): Promise<CloudsnapWriter>;
  /** The visible cloudsnaps after this one up to the next full. */
  dependants(entry: CloudsnapEntry, signal?: AbortSignal): Promise<CloudsnapEntry[]>;
  /** Tombstone first, then the objects. @throws `cloudsnap/has-dependants` with the list in its details. */
  delete(entry: CloudsnapEntry, signal?: AbortSignal): Promise<void>;
}

export interface CloudsnapPlan {
  readonly volume: { readonly id: VolumeId; readonly name: string; readonly geometry: Geometry;
    readonly fileSystem: string; readonly labels: Readonly<Record<string, string>> };
  /** null: a full. */
  readonly parent: CloudsnapEntry | null;
  readonly fullReason: string | null;
  readonly createdMs: number;
  readonly type: CloudsnapType;
  readonly consistency: Consistency;
  readonly plannedBlocks: number;
}

/** Takes planned blocks in ascending order. After any rejection the writer is dead: call abort(). */
export interface CloudsnapWriter {
  readonly cloudsnapId: string;
  /**
   * `data` holds whole blocks from firstBlock on; it may be reused when the promise resolves. Zero blocks and blocks
   * whose content is that of the parent are recorded, not uploaded. Back pressure: resolves when there is room for more.
   */
  writeBlocks(firstBlock: number, data: Uint8Array): Promise<void>;
  /** What has been done so far, for progress. */
  readonly statistics: CloudsnapStatistics;
  /**
   * Packs, index, root, then the manifest with put-if-absent: the commit point. `cloudsnap/lost-race` if another
   * writer took the sequence number.
   */
  commit(): Promise<CloudsnapEntry>;
  /** Best effort: removes what was uploaded. Never throws. */
  abort(): Promise<void>;
}

/** Random access to the content of one cloudsnap. */
export interface CloudsnapReader {
  readonly manifest: Manifest;
  readonly geometry: Geometry;
  /**
   * Runs cover the extent exactly, ascending; a run without data is zero. One range GET per run of neighbouring frames
   * in a pack. Every byte is verified: `cloudsnap/corrupt` names the cloudsnap, pack and block otherwise.
   */
  readBlocks(extent: Extent, signal?: AbortSignal): Promise<readonly ReadRun[]>;
  /** Extents that may hold data (non-zero), ascending; reads index pages as it goes. */
  dataExtents(signal?: AbortSignal): AsyncIterable<Extent>;
  close(): Promise<void>;
}

export interface ReadRun extends Extent {
  readonly data?: Uint8Array;
}
