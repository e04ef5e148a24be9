import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { errnoOf } from '../../base/errors.ts';
import { mapLimited } from '../../base/map-limited.ts';
import { compareKeys, isKeySegment, splitKey } from '../key.ts';
import type { ObjectInfo } from '../object-store.ts';
import { entryOf, type RootFolder } from './root-folder.ts';

/**
 * Looked up at once in one folder: enough to hide a disk's latency, few enough to leave libuv
 * threads to others.
 */
const CONCURRENT_LOOKUPS = 8;

interface Entry {
  readonly name: string;
  /** undefined: a folder. */
  readonly info: ObjectInfo | undefined;
}

/**
 * The objects whose keys begin with `prefix`, in the contract's order. Holds the names of one
 * folder per level, and no descriptor between two steps. Symbolic links and names that no key can
 * have are passed over.
 */
export async function* walk(
  root: RootFolder,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<ObjectInfo> {
  const { folder, name } = splitKey(prefix);
  yield* walkFolder(root, folder, name, signal);
}

async function* walkFolder(
  root: RootFolder,
  folder: string,
  namePrefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  signal?.throwIfAborted();
  for (const { name, info } of await readFolder(root, folder, namePrefix)) {
    if (info) yield info;
    else yield* walkFolder(root, keyOf(folder, name), '', signal);
  }
}

async function readFolder(root: RootFolder, folder: string, namePrefix: string): Promise<Entry[]> {
  await using handle = await openIfPresent(root, folder);
  if (!handle) return [];
  const found = await readdir(entryOf(handle, ''), { withFileTypes: true });
  const wanted = found.filter(({ name }) => name.startsWith(namePrefix) && isKeySegment(name));
  const entries = await mapLimited(
    wanted,
    (dirent) => lookUp(dirent, entryOf(handle, dirent.name), keyOf(folder, dirent.name)),
    { limit: CONCURRENT_LOOKUPS },
  );
  return entries.filter((entry) => entry !== undefined).sort(inKeyOrder);
}

async function lookUp(dirent: Dirent, path: string, key: string): Promise<Entry | undefined> {
  if (dirent.isDirectory()) return { name: dirent.name, info: undefined };
  try {
    // Also where the file system does not tell the kind of an entry in its listing.
    const found = await lstat(path);
    if (found.isDirectory()) return { name: dirent.name, info: undefined };
    if (!found.isFile()) return undefined;
    return { name: dirent.name, info: objectInfo(key, found) };
  } catch (error) {
    // Deleted since the folder was read.
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function openIfPresent(root: RootFolder, folder: string) {
  try {
    return await root.openFolder(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    // Below an object there is nothing.
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * Whatever lies in a folder `a` begins with `a/`: that, not the bare name, decides against `a-b`
 * and `a.b`.
 */
function inKeyOrder(left: Entry, right: Entry): number {
  return compareKeys(sortKey(left), sortKey(right));
}

function sortKey({ name, info }: Entry): string {
  return info ? name : `${name}/`;
}

function keyOf(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

export function objectInfo(
  key: string,
  found: { readonly size: number; readonly mtimeMs: number },
): ObjectInfo {
  return { key, sizeBytes: found.size, modifiedMs: Math.floor(found.mtimeMs) };
}
