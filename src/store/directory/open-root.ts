import { mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemClock, type Clock } from '../../base/clock.ts';
import { errnoOf } from '../../base/errors.ts';
import { fsyncDirectory } from '../../base/fsync-directory.ts';
import { storeError } from '../store-error.ts';
import { FOLDER_MODE, RootFolder } from './root-folder.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { translateError } from './translate-error.ts';

export interface OpenRootOptions {
  readonly path: string;
  /** Makes the folder, and those above it, when it is missing. Default: false. */
  readonly create?: boolean;
  readonly clock?: Clock;
}

export interface OpenedRoot {
  readonly root: RootFolder;
  readonly temporary: TemporaryFolder;
}

/** Finds or makes the folder of a directory store. @throws see DirectoryStore.open */
export async function openRoot(options: OpenRootOptions): Promise<OpenedRoot> {
  const path = resolve(options.path);
  try {
    if (options.create) await makeDurableFolder(path);
    const root = await findRoot(path);
    const temporary = await TemporaryFolder.open(root);
    await sweepIfWritable(temporary, (options.clock ?? systemClock).nowMs());
    return { root, temporary };
  } catch (error) {
    throw explain(error, path);
  }
}

async function findRoot(path: string): Promise<RootFolder> {
  const real = await realpath(path);
  const found = await stat(real);
  const root = new RootFolder(real, { device: found.dev, inode: found.ino });
  const handle = await root.openFolder('');
  await handle.close();
  return root;
}

async function makeDurableFolder(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  if (firstMade === undefined) return;
  const oldParent = dirname(firstMade);
  for (let folder = path; folder !== oldParent; folder = dirname(folder)) {
    await fsyncDirectory(dirname(folder));
  }
}

async function sweepIfWritable(temporary: TemporaryFolder, nowMs: number): Promise<void> {
  try {
    await temporary.sweep(nowMs);
  } catch (error) {
    // A store that may only be read is good enough to restore from.
    if (!['EROFS', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
  }
}

function explain(error: unknown, path: string): unknown {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return storeError('store/not-found', `there is no folder ${path} to keep objects in`, {
        hint: 'create it, or mount the file system that it lies on',
        cause: error,
        details: { path },
      });
    case 'ENOTDIR':
    case 'EEXIST':
      return storeError('store/failed', `${path} is not a folder, so it cannot keep objects`, {
        hint: 'choose a folder',
        cause: error,
        details: { path },
      });
    case undefined:
    default:
      return translateError(error, `open the object store in ${path}`);
  }
}
