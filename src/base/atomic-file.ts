import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from './errors.ts';
import { fsyncDirectory } from './fsync-directory.ts';

/** Readable by its owner only: state names volumes, hosts and credentials. */
const DEFAULT_MODE = 0o600;

/**
 * Replaces a file whole: a reader, also one after a power cut at any moment, sees the old content
 * or the new one. Once this resolves it is the new one for good. The steps are temporary file
 * beside it, fsync, rename, fsync of the folder. A crash may leave a `.<name>.<random>.tmp` behind,
 * which is never read. Two writers at once: one of them wins whole.
 * @throws the system's error (see errnoOf); only the caller knows what the file is and what to tell
 * the user.
 */
export async function writeFileAtomically(
  path: string,
  content: Uint8Array | string,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    const file = await open(temporary, 'wx', options.mode ?? DEFAULT_MODE);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await fsyncDirectory(dirname(path));
}

/**
 * The content of a file, or undefined when there is none.
 * @throws the system's error for every other failure.
 */
export async function readFileIfPresent(path: string): Promise<Buffer<ArrayBuffer> | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}
