import { chmod, lstat, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudvolError, messageOf } from '../../base/errors.ts';
import { requireFree, type Target } from './targets.ts';
import { unpackArchive } from './unpack-archive.ts';

const OWNER_WRITE = 0o200;
const PERMISSION_BITS = 0o7777;

/**
 * Unpacks into a new directory beside the targets, which nobody else can enter, and moves what was
 * asked for into place when all of it is there: a failure leaves nothing, and no link that lies in
 * the destination is ever followed.
 * @throws CloudvolError `extract/…`, what `chunks` throws
 */
export async function extractFiles(
  chunks: AsyncIterable<Buffer>,
  targets: readonly Target[],
  directory: string,
): Promise<void> {
  await makeDirectory(directory);
  for (const { source, path } of targets) if (source !== '') await requireFree(path);
  const staging = await mkdtemp(join(directory, '.cloudvol-extract-'));
  try {
    await unpackArchive(chunks, staging);
    for (const { source, path } of targets) {
      if (source !== '') await moveInto(join(staging, source), path);
      else await moveAll(staging, directory);
    }
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw new CloudvolError(
      'extract/bad-directory',
      `cannot use ${directory}: ${messageOf(error)}`,
      {
        hint: 'name a directory that you may write to with --to',
        cause: error,
      },
    );
  }
}

async function moveAll(from: string, to: string): Promise<void> {
  const names = await readdir(from, { encoding: 'buffer' });
  const slash = Buffer.from('/');
  for (const name of names) await requireFree(join(to, name.toString()));
  for (const name of names) {
    const [source, path] = [from, to].map((folder) =>
      Buffer.concat([Buffer.from(folder), slash, name]),
    );
    await moveInto(source!, path!);
  }
}

/** A folder that its owner may not write to has to be lent that right: its `..` changes. */
async function moveInto(source: string | Buffer, path: string | Buffer): Promise<void> {
  if (typeof path === 'string') await requireFree(path);
  const stats = await lstat(source);
  const mode = stats.mode & PERMISSION_BITS;
  const isLent = stats.isDirectory() && (mode & OWNER_WRITE) === 0;
  if (isLent) await chmod(source, mode | OWNER_WRITE);
  await rename(source, path);
  if (isLent) await chmod(path, mode);
}
