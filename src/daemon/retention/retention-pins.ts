import { unfinishedUploads } from '../cleanup/unfinished-uploads.ts';
import type { ManagedVolumes } from '../domain.ts';

/**
 * The cloudsnaps that this host needs, and for what: those that its volumes still read from, and
 * those that its unfinished uploads to the repository build on.
 */
export async function retentionPins(
  volumes: ManagedVolumes,
  repositoryId: string,
  nowMs: number,
): Promise<Map<string, string>> {
  const pins = new Map<string, string>();
  for (const { cloudsnapId, parent } of await unfinishedUploads(volumes, repositoryId, nowMs)) {
    if (parent) pins.set(parent.cloudsnapId, `the unfinished ${cloudsnapId} builds on it`);
  }
  for (const volume of volumes.list()) {
    const { backing } = await volume.inspect();
    if (!backing) continue;
    pins.set(backing.cloudsnapId, `volume ${volume.attributes.name} still reads from it`);
  }
  return pins;
}
