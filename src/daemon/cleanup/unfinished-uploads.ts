import { findUnfinishedUpload } from '../../cloudsnap/unfinished-upload.ts';
import type { JournalHead } from '../../format/upload-journal.ts';
import type { ManagedVolumes } from '../domain.ts';

/** Uploads of this host to a repository that may go on. */
export async function unfinishedUploads(
  volumes: ManagedVolumes,
  repositoryId: string,
  nowMs: number,
): Promise<JournalHead[]> {
  const found: JournalHead[] = [];
  for (const volume of volumes.list()) {
    const path = volume.uploadJournalPath(repositoryId);
    const upload = path === undefined ? undefined : await findUnfinishedUpload(path, nowMs);
    if (upload?.repositoryId === repositoryId) found.push(upload);
  }
  return found;
}

/** What the upload is called below its root. */
export function snapNameOf({ cloudsnapId }: JournalHead): string {
  return cloudsnapId.slice(cloudsnapId.indexOf('/') + 1);
}
