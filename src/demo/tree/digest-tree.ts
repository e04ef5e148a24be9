import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** What a file was at one moment: all that a restore has to bring back. */
export interface TreeEntry {
  /** Relative to the root of the tree. */
  readonly path: string;
  readonly kind: 'file' | 'link' | 'directory';
  /** Permission bits, with set-id and sticky. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Of a file its SHA-256 in hex, of a link its target, of a directory nothing. */
  readonly content: string;
}

const READ_BYTES = 1 << 20;

/** Reads every byte below `root`. Entries come in the order of their names. */
export function digestTree(root: string): TreeEntry[] {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const entries: TreeEntry[] = [];
  const visit = (folder: string): void => {
    for (const name of readdirSync(join(root, folder)).sort()) {
      const path = join(folder, name);
      const entry = digestEntry(root, path, buffer);
      entries.push(entry);
      if (entry.kind === 'directory') visit(path);
    }
  };
  visit('');
  return entries;
}

/** @throws when the path is neither a file, a link nor a directory. */
export function digestEntry(
  root: string,
  path: string,
  buffer: Buffer = Buffer.allocUnsafe(READ_BYTES),
): TreeEntry {
  const full = join(root, path);
  const stat = lstatSync(full);
  const mode = stat.mode & 0o7777;
  if (stat.isFile()) {
    const content = digestFile(full, buffer);
    return { path, kind: 'file', mode, sizeBytes: stat.size, content };
  }
  if (stat.isSymbolicLink()) {
    return { path, kind: 'link', mode, sizeBytes: stat.size, content: readlinkSync(full) };
  }
  // The size of a directory is the file system's own business.
  if (stat.isDirectory()) return { path, kind: 'directory', mode, sizeBytes: 0, content: '' };
  throw new Error(`${full} is neither a file, a link nor a directory`);
}

function digestFile(path: string, buffer: Buffer): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const length = readSync(file, buffer, 0, buffer.length, null);
      if (length === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
}
