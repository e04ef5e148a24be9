import { findUnfinishedUpload } from '../../cloudsnap/unfinished-upload.ts';
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
  for (const volume of volumes.list()) {
    const { name } = volume.attributes;
    const journalPath = volume.uploadJournalPath(repositoryId);
    const upload = journalPath && (await findUnfinishedUpload(journalPath, nowMs));
    if (upload && upload.repositoryId === repositoryId && upload.parent) {
      pins.set(upload.parent.cloudsnapId, `an unfinished upload of volume ${name} builds on it`);
    }
    const { backing } = await volume.inspect();
    if (backing) pins.set(backing.cloudsnapId, `volume ${name} still reads from it`);
  }
  return pins;
}
