import { isUtf8 } from 'node:buffer';
import { constants, type BigIntStats } from 'node:fs';
import type { FileEntry, FileType } from '../file-entry.ts';

const NANOSECONDS = 1_000_000_000n;
/** inode(7) */
const PERMISSION_BITS = 0o7777n;

const TYPES = new Map<number, FileType>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
  [constants.S_IFCHR, 'character-device'],
  [constants.S_IFBLK, 'block-device'],
]);

export function typeOf({ mode }: BigIntStats): FileType {
  return TYPES.get(Number(mode) & constants.S_IFMT) ?? 'unknown';
}

/** @param path from the root of the file system, with a leading slash */
export function describeFile(path: Buffer, stats: BigIntStats, target?: Buffer): FileEntry {
  return {
    path: path.toString('utf8'),
    ...(!isUtf8(path) && { pathBase64: path.toString('base64') }),
    type: typeOf(stats),
    sizeBytes: Number(stats.size),
    mode: (stats.mode & PERMISSION_BITS).toString(8).padStart(4, '0'),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    links: Number(stats.nlink),
    modified: isoNanoseconds(stats.mtimeNs),
    ...(target && { target: target.toString('utf8') }),
    ...(target && !isUtf8(target) && { targetBase64: target.toString('base64') }),
  };
}

/** File systems of today hold years up to 2486, dates of JavaScript many more. */
function isoNanoseconds(ns: bigint): string {
  const fraction = ((ns % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const seconds = new Date(Number((ns - fraction) / NANOSECONDS) * 1000).toISOString();
  return seconds.replace('.000Z', `.${fraction.toString().padStart(9, '0')}Z`);
}
