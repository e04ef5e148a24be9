import type { ClusterId, VolumeId } from '../base/ids.ts';

/** How a cloudsnap came about: the TYPE column. */
export const CLOUDSNAP_TYPES = ['Manual', 'Periodic', 'Daily', 'Weekly', 'Monthly'] as const;
export type CloudsnapType = (typeof CLOUDSNAP_TYPES)[number];
export const CONSISTENCIES = ['crash', 'file-system', 'application'] as const;
export type Consistency = (typeof CONSISTENCIES)[number];

/**
 * The manifest: the one object that makes a cloudsnap exist. JSON, at most 64 KiB, inside an
 * envelope where the repository is encrypted; written last, never changed.
 */
export interface Manifest {
  readonly formatVersion: 1;
  /** Of an encrypted one: 32 lower-case hex digits. */
  readonly masterKeyId?: string;
  /** `<cluster uuid>/<volumeId>-<snapId>[-incr]`, as users see it. */
  readonly cloudsnapId: string;
  readonly clusterId: ClusterId;
  readonly sequence: number;
  readonly parent: { readonly cloudsnapId: string; readonly manifestSha256: string } | null;
  /** Incrementals since the last full: 0 for a full. */
  readonly incrementals: number;
  /** Why it is a full one; null for an incremental. */
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
  /**
   * Planned blocks that turned out to be zero, or to have the same content as in the parent: not
   * uploaded.
   */
  readonly zeroBlocks: number;
  readonly unchangedBlocks: number;
  readonly uploadedBlocks: number;
  /** Plain bytes of uploadedBlocks. */
  readonly uploadedPlainBytes: number;
  /** Bytes of all objects put for this cloudsnap but the manifest. */
  readonly storedBytes: number;
  readonly packs: number;
}
