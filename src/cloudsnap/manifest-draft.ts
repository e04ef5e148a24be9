import type { ClusterId } from '../base/ids.ts';
import type { CloudsnapName } from '../format/cloudsnap-id.ts';
import { decodeManifest, encodeManifest } from '../format/manifest-codec.ts';
import type { CloudsnapStatistics, Manifest } from '../format/manifest.ts';
import { rootObject } from '../format/root-object.ts';
import type { CloudsnapPlan } from './cloudsnap-api.ts';

const NO_STATISTICS: CloudsnapStatistics = {
  plannedBlocks: 0,
  zeroBlocks: 0,
  unchangedBlocks: 0,
  uploadedBlocks: 0,
  uploadedPlainBytes: 0,
  storedBytes: 0,
  packs: 0,
};

/** What the end of an upload adds to its plan. */
export type ManifestEnd = Pick<Manifest, 'root' | 'statistics'>;

export function manifestOf(
  plan: CloudsnapPlan,
  clusterId: ClusterId,
  name: CloudsnapName,
  end: ManifestEnd,
  masterKeyId?: string,
): Manifest {
  const { parent, volume } = plan;
  return {
    formatVersion: 1,
    ...(masterKeyId === undefined ? {} : { masterKeyId }),
    cloudsnapId: `${clusterId}/${name.snapName}`,
    clusterId,
    sequence: name.sequence,
    parent: parent && {
      cloudsnapId: parent.manifest.cloudsnapId,
      manifestSha256: parent.manifestSha256,
    },
    incrementals: parent ? parent.manifest.incrementals + 1 : 0,
    fullReason: plan.fullReason,
    volume: {
      id: volume.id,
      name: volume.name,
      sizeBytes: volume.geometry.sizeBytes,
      blockBytes: volume.geometry.blockBytes,
      fileSystem: volume.fileSystem,
      labels: volume.labels,
    },
    createdMs: plan.createdMs,
    type: plan.type,
    consistency: plan.consistency,
    ...end,
  };
}

/**
 * Finds out before the first byte is uploaded whether the plan makes a manifest that can be read
 * again.
 * @throws CloudvolError `format/too-large`, `format/corrupt`
 */
export function checkDraft(plan: CloudsnapPlan, clusterId: ClusterId, name: CloudsnapName): void {
  const root = { object: rootObject(0), lengthBytes: 1, sha256: '0'.repeat(64) };
  decodeManifest(
    encodeManifest(manifestOf(plan, clusterId, name, { root, statistics: NO_STATISTICS })),
  );
}
