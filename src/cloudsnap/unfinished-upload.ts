import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../base/errors.ts';
import type { JournalHead } from '../format/upload-journal.ts';
import { MAX_JOURNAL_AGE_MS } from './resume-upload.ts';
import { scanJournal } from './scan-journal.ts';

/** Head and first attempt stand first: two ids, a key and a location of 4 KiB at most. */
const HEAD_BYTES = 32 << 10;

/**
 * What an upload is of that was cut off or is under way: read from its journal, beside its writer.
 * @returns undefined when there is none, or one that is too old or too torn to go on.
 * @throws what the file system says: who cannot read it does not know what is needed.
 */
export async function findUnfinishedUpload(
  journalPath: string,
  nowMs: number,
): Promise<JournalHead | undefined> {
  const file = await openIfPresent(journalPath);
  if (!file) return undefined;
  try {
    const found = await scanJournal(file, HEAD_BYTES);
    const beganMs = found?.attempts[0]?.beganMs;
    if (beganMs === undefined || Math.abs(nowMs - beganMs) > MAX_JOURNAL_AGE_MS) return undefined;
    return found?.head;
  } finally {
    await file.close();
  }
}

async function openIfPresent(path: string) {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
