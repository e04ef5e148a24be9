import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { drained } from '../../base/drained.ts';
import { CloudvolError, errnoOf } from '../../base/errors.ts';

/**
 * Modes come from the umask, which is 0 here: so everybody gets the permission bits, and only
 * root, with `-p`, gets what would let others run a program as its owner.
 */
const ARGUMENTS = ['--extract', '--file=-', '--numeric-owner', '--delay-directory-restore'];
const ROOT_ARGUMENTS = [
  '--preserve-permissions',
  '--same-owner',
  '--acls',
  '--xattrs',
  '--xattrs-include=*',
];
/** What anybody may set on his own files: xattr(7). */
const USER_ARGUMENTS = ['--no-same-owner', '--xattrs', '--xattrs-include=user.*'];

/**
 * Unpacks an archive into a directory, by GNU tar, with the rights of whoever runs this.
 * @param directory empty, and nobody else's: nothing in it can lead out of it
 * @throws CloudvolError `extract/failed`, `host/command-missing`; what `chunks` throws
 */
export async function unpackArchive(
  chunks: AsyncIterable<Buffer>,
  directory: string,
): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  const args = [...ARGUMENTS, ...(isRoot ? ROOT_ARGUMENTS : USER_ARGUMENTS)];
  const umask = process.umask(0);
  const child = spawn('tar', [...args, `--directory=${directory}`], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
  });
  process.umask(umask);
  // It may end before it has read everything: its exit code says why.
  child.stdin.on('error', () => {});
  const ended = Promise.all([once(child, 'close'), text(child.stderr)]);
  // A tar that is not there is heard of below.
  ended.catch(() => {});
  try {
    for await (const chunk of chunks) {
      if (child.stdin.destroyed) break;
      if (!child.stdin.write(chunk)) await drained(child.stdin);
    }
    child.stdin.end();
    const [, words] = await ended;
    if (child.exitCode !== 0) throw failed(words);
  } catch (error) {
    throw errnoOf(error) === 'ENOENT' ? noTar(error) : error;
  } finally {
    child.kill('SIGKILL');
  }
}

function failed(words: string): CloudvolError {
  const line = words.trim().split('\n')[0] || 'tar ended without a word';
  return new CloudvolError('extract/failed', `the files cannot be written: ${line}`, {
    hint: 'see that there is room, and that the file system takes such names and attributes',
  });
}

function noTar(cause: unknown): CloudvolError {
  return new CloudvolError('host/command-missing', 'tar is not installed on this host', {
    hint: 'install the package tar',
    cause,
  });
}
