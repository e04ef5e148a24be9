import { constants, type BigIntStats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { errnoOf } from '../../base/errors.ts';
import { WalkError } from './walk-error.ts';

const SLASH = Buffer.from('/');

export function joinBytes(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, SLASH, name]);
}

/**
 * Finds a path below `root` name by name, never through a symbolic link: where that leads to lies
 * on this host, not in the image. The image does not change, so that what was found stays.
 * @throws WalkError
 */
export async function findPath(
  root: string,
  names: readonly string[],
): Promise<{ readonly path: Buffer; readonly stats: BigIntStats }> {
  let path: Buffer = Buffer.from(root);
  let stats = await lstat(path, { bigint: true });
  const seen: string[] = [];
  for (const name of names) {
    requireDirectory(stats, seen);
    seen.push(name);
    path = joinBytes(path, Buffer.from(name));
    stats = await lstatNamed(path, seen);
  }
  return { path, stats };
}

function requireDirectory({ mode }: BigIntStats, seen: readonly string[]): void {
  const type = Number(mode) & constants.S_IFMT;
  if (type === constants.S_IFDIR) return;
  const what = type === constants.S_IFLNK ? 'is a symbolic link' : 'is not a folder';
  throw new WalkError('not-a-folder', `/${seen.join('/')} ${what}`);
}

async function lstatNamed(path: Buffer, seen: readonly string[]): Promise<BigIntStats> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENAMETOOLONG') throw error;
    throw new WalkError('no-such-path', `there is no /${seen.join('/')}`);
  }
}
