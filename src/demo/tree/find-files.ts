import { readdirSync, lstatSync } from 'node:fs';
import { join } from 'node:path';

/** A file or symbolic link of this machine that is to be copied. */
export interface FoundFile {
  readonly path: string;
  /** Where it goes, relative to the target. */
  readonly name: string;
  readonly sizeBytes: number;
}

export interface FileSource {
  /** An absolute path; a folder that does not exist has no files. */
  readonly path: string;
  readonly limitBytes: number;
}

/** One huge file would be the whole tree. */
const MAX_FILE_BYTES = 48 << 20;
/** Bounds the time: creating a file costs as much as copying a hundred kilobytes. */
const MAX_FILES_PER_SOURCE = 6_000;

/**
 * Regular files and symbolic links below each source in turn, by name, until its limit or the
 * total is reached.
 */
export function findFiles(sources: readonly FileSource[], totalBytes: number): FoundFile[] {
  const found: FoundFile[] = [];
  let leftBytes = totalBytes;
  for (const { path: source, limitBytes } of sources) {
    let roomBytes = Math.min(limitBytes, leftBytes);
    let roomFiles = MAX_FILES_PER_SOURCE;
    for (const path of walk(source)) {
      if (roomBytes <= 0 || roomFiles <= 0) break;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (!stat || !(stat.isFile() || stat.isSymbolicLink()) || stat.size > MAX_FILE_BYTES)
        continue;
      found.push({ path, name: path.slice(1), sizeBytes: stat.isFile() ? stat.size : 0 });
      roomBytes -= stat.size;
      roomFiles -= 1;
      leftBytes -= stat.size;
    }
  }
  return found;
}

function* walk(folder: string): Generator<string> {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // Not there, or not for us: what counts is whether enough is found in the end.
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else yield path;
  }
}
