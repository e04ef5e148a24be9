import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { mapLimited } from '../../base/map-limited.ts';
import type { FileEntry } from '../file-entry.ts';
import { describeFile, typeOf } from './describe-file.ts';
import { findPath, joinBytes } from './find-path.ts';

/** Files that are looked at together: bounds memory in a folder with millions of them. */
const BATCH = 1024;
/** Enough that a store's latency is waited for together, not file by file. */
const PARALLEL = 16;
/** Folders whose names are read before their turn comes. */
const FOLDERS_AHEAD = 8;

export interface WalkOptions {
  /** Where the image is mounted. */
  readonly root: string;
  /** The way to where the walk begins; see namesOfPath. */
  readonly names: readonly string[];
  /** 1: what lies in the folder itself. */
  readonly depth: number;
  /** Whether the folder is listed too; a file always is. */
  readonly withStart: boolean;
}

/**
 * Every file below a path, each folder before what is in it, names in the order of their bytes.
 * Follows no link.
 * @throws WalkError
 */
export async function* walkTree(options: WalkOptions): AsyncGenerator<FileEntry, void, undefined> {
  const { root, names, depth, withStart } = options;
  const { path, stats } = await findPath(root, names);
  const toEntry = entryMaker(Buffer.byteLength(root));
  const isFolder = typeOf(stats) === 'directory';
  if (withStart || !isFolder) yield await toEntry(path, stats);
  if (isFolder) yield* walkFolder(path, await namesIn(path), depth, toEntry);
}

type ToEntry = (path: Buffer, stats: BigIntStats) => Promise<FileEntry>;

/** @param rootBytes how much of a path leads to the mount, and is not shown */
function entryMaker(rootBytes: number): ToEntry {
  return async (path, stats) => {
    const shown = path.length > rootBytes ? path.subarray(rootBytes) : Buffer.from('/');
    const isLink = typeOf(stats) === 'symlink';
    const target = isLink ? await readlink(path, { encoding: 'buffer' }) : undefined;
    return describeFile(shown, stats, target);
  };
}

async function* walkFolder(
  folder: Buffer,
  names: readonly Buffer[],
  depth: number,
  toEntry: ToEntry,
): AsyncGenerator<FileEntry, void, undefined> {
  for (let first = 0; first < names.length; first += BATCH) {
    const batch = names.slice(first, first + BATCH).map((name) => joinBytes(folder, name));
    const entries = await mapLimited(
      batch,
      async (path) => toEntry(path, await lstat(path, { bigint: true })),
      { limit: PARALLEL },
    );
    const isWalked = (index: number) => depth > 1 && entries[index]?.type === 'directory';
    const folders = new FoldersAhead(batch.filter((_, index) => isWalked(index)));
    for (const [index, entry] of entries.entries()) {
      yield entry;
      const path = batch[index];
      if (path && isWalked(index))
        yield* walkFolder(path, await folders.next(), depth - 1, toEntry);
    }
  }
}

/** The names in folders one after another, read some folders ahead. */
class FoldersAhead {
  readonly #paths: readonly Buffer[];
  readonly #reading: Promise<readonly Buffer[]>[] = [];
  #served = 0;

  constructor(paths: readonly Buffer[]) {
    this.#paths = paths;
  }

  next(): Promise<readonly Buffer[]> {
    const { length } = this.#paths;
    while (this.#reading.length < Math.min(length, this.#served + FOLDERS_AHEAD)) {
      const reading = namesIn(this.#paths[this.#reading.length]!);
      // Who takes it hears of its failure; a walk that ends before does not want it.
      reading.catch(() => {});
      this.#reading.push(reading);
    }
    return this.#reading[this.#served++]!;
  }
}

async function namesIn(folder: Buffer): Promise<readonly Buffer[]> {
  const names = await readdir(folder, { encoding: 'buffer' });
  return names.sort((a, b) => Buffer.compare(a, b));
}
