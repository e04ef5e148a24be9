import { newVolumeId } from '../base/ids.ts';
import type { BackingRecord, VolumeState } from '../format/volume-state.ts';
import type { FileSystem } from './volume-api.ts';

export interface NewVolume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly fileSystem: FileSystem;
  readonly labels: Readonly<Record<string, string>>;
}

/** The record of a volume that is being made: nothing is known of it, and nothing open. */
export function initialVolumeState(
  wanted: NewVolume,
  backing: BackingRecord | null,
  createdMs: number,
): VolumeState {
  return {
    id: newVolumeId(),
    name: wanted.name,
    sizeBytes: wanted.sizeBytes,
    blockBytes: wanted.blockBytes,
    fileSystem: wanted.fileSystem,
    labels: wanted.labels,
    createdMs,
    phase: 'creating',
    inUse: false,
    session: '',
    bootId: '',
    epoch: 0,
    bitsLostBefore: 0,
    chains: [],
    pendingCommits: [],
    backing,
    attachment: null,
  };
}
