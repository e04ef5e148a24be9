import type { Writable } from 'node:stream';
import { drained } from '../base/drained.ts';
import { CloudvolError, errnoOf } from '../base/errors.ts';
import { pathBytes, type FileEntry } from './file-entry.ts';
import { GuestProcess } from './guest-process.ts';
import { unreadable } from './walk-files.ts';

/**
 * GNU tar, after its --directory: times to the nanosecond, holes, hard links, access lists and all
 * extended attributes; the names that come on its stdin and no others, each as it is.
 */
const TAR_ARGUMENTS = [
  '--create',
  '--file=-',
  '--format=posix',
  '--pax-option=delete=atime,delete=ctime',
  '--sparse',
  '--acls',
  '--xattrs',
  '--xattrs-include=*',
  '--numeric-owner',
  '--no-recursion',
  '--null',
  '--verbatim-files-from',
  '--files-from=-',
];

const ZERO = Buffer.from([0]);

/**
 * An archive of files of a mounted image, made by a process of its own.
 * @param files by absolute path in the image; sockets and devices are left out: a socket means
 * nothing without its process, and whoever wrote into the bucket must not make devices here
 * @throws CloudvolError `catalog/unreadable`, `host/command-missing`; what `files` throws; the
 * signal's reason
 */
export async function* packFiles(
  root: string,
  files: AsyncIterable<FileEntry>,
  cloudsnapId: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const tar = new GuestProcess('tar', [`--directory=${root}`, ...TAR_ARGUMENTS], signal);
  const naming = nameFiles(tar.stdin, files);
  // It is awaited below; until then its failure ends tar, whose output is read.
  naming.catch(() => void tar.end());
  try {
    yield* tar.stdout as AsyncIterable<Buffer>;
    await naming;
    signal.throwIfAborted();
    if ((await tar.ended()) !== 0) throw unreadable(cloudsnapId, tar.words);
  } catch (error) {
    throw errnoOf(error) === 'ENOENT' ? noTar(error) : error;
  } finally {
    await tar.end();
    // Its walk ends when there is nobody to name files to.
    await Promise.allSettled([naming]);
  }
}

async function nameFiles(stdin: Writable, files: AsyncIterable<FileEntry>): Promise<void> {
  for await (const entry of files) {
    if (['socket', 'character-device', 'block-device', 'unknown'].includes(entry.type)) continue;
    // The root has no name: its files come without it.
    const name = pathBytes(entry).subarray(1);
    if (name.length === 0) continue;
    if (!stdin.write(Buffer.concat([name, ZERO]))) await drained(stdin);
    if (stdin.destroyed) return;
  }
  stdin.end();
}

function noTar(cause: unknown): CloudvolError {
  return new CloudvolError('host/command-missing', 'tar is not installed on this host', {
    hint: 'install the package tar',
    cause,
  });
}
