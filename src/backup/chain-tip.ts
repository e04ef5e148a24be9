import type { CloudsnapEntry } from '../cloudsnap/cloudsnap-api.ts';
import type { ChainTip } from '../volume/volume-api.ts';

/**
 * A visible cloudsnap as the end of a volume's chain. `baseEpoch` is the epoch that its freeze
 * sealed.
 */
export function tipOf(entry: CloudsnapEntry, repositoryId: string, baseEpoch: number): ChainTip {
  const { cloudsnapId, sequence, incrementals } = entry.manifest;
  const { manifestSha256 } = entry;
  return { repositoryId, baseEpoch, cloudsnapId, manifestSha256, sequence, incrementals };
}
