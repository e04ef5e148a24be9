import { chmodSync, copyFileSync, mkdirSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CloudvolError, errnoOf } from '../../base/errors.ts';
import { findFiles, type FileSource, type FoundFile } from './find-files.ts';

export interface Filled {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Copies real files of this machine into `target`, with their modes; links as links.
 * @throws `demo/too-few-files` when they make up less than `leastBytes`.
 */
export function fillTree(
  target: string,
  sources: readonly FileSource[],
  { leastBytes, mostBytes }: { leastBytes: number; mostBytes: number },
): Filled {
  const found = findFiles(sources, mostBytes);
  const foundBytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (foundBytes < leastBytes) {
    const places = sources.map(({ path }) => path).join(', ');
    throw new CloudvolError(
      'demo/too-few-files',
      `only ${foundBytes} of ${leastBytes} bytes of files were found in ${places}`,
    );
  }
  const copied = found.filter((file) => copy(file, target));
  return {
    files: copied.length,
    bytes: copied.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** False when the file went away in the meantime, as files of a living machine do. */
function copy({ path, name }: FoundFile, target: string): boolean {
  const to = join(target, name);
  mkdirSync(dirname(to), { recursive: true });
  try {
    const link = linkOf(path);
    if (link === undefined) {
      copyFileSync(path, to);
      chmodSync(to, statSync(path).mode & 0o7777);
    } else {
      symlinkSync(link, to);
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    // EINVAL: not a link.
    if (errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}
