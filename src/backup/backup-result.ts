import type { Manifest } from '../cloudsnap/cloudsnap-api.ts';
import type { PhaseTimes } from './phase-times.ts';

/** What a finished backup reports: counts of blocks, bytes, and milliseconds per phase. */
export function backupResult(
  manifest: Manifest,
  reusedBlocks: number,
  times: PhaseTimes,
): Record<string, number | string> {
  const { statistics, volume, parent } = manifest;
  const reusedBytes = reusedBlocks * volume.blockBytes;
  return {
    kind: parent ? 'incremental' : 'full',
    ...(manifest.fullReason ? { fullReason: manifest.fullReason } : {}),
    plannedBlocks: statistics.plannedBlocks,
    zeroBlocks: statistics.zeroBlocks,
    unchangedBlocks: statistics.unchangedBlocks,
    uploadedBlocks: statistics.uploadedBlocks - reusedBlocks,
    packs: statistics.packs,
    // What the bitmap named, against what had to travel, against what lies in the bucket for it.
    changedBytes: statistics.plannedBlocks * volume.blockBytes,
    uploadedBytes: statistics.uploadedPlainBytes - reusedBytes,
    // What an earlier backup that was cut off had stored, and this one went on with.
    ...(reusedBlocks > 0 ? { reusedBlocks, reusedBytes } : {}),
    storedBytes: statistics.storedBytes,
    ...times.toResult(),
  };
}
