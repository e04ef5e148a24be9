/**
 * Paths that cannot leave the store's root. Node has no openat(2), so every open is checked
 * afterwards: the kernel says where the descriptor really leads (/proc/self/fd), and that must be
 * the plain path that was asked for; with a symbolic link anywhere in the path it is not. Names are
 * then created, renamed and removed through the checked descriptor of their folder
 * (`/proc/self/fd/N/name`), which no later change of the path can redirect.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, readlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import { storeError } from '../store-error.ts';
import { FolderChain } from './folder-chain.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Objects may hold a database's content in the clear: nobody but the owner looks in. */
export const FOLDER_MODE = 0o700;

export interface FolderIdentity {
  readonly device: number;
  readonly inode: number;
}

export class RootFolder {
  /** Absolute and free of symbolic links. */
  readonly path: string;
  readonly #identity: FolderIdentity;

  constructor(path: string, identity: FolderIdentity) {
    this.path = path;
    this.#identity = identity;
  }

  /**
   * Opens a regular file for reading. Non-blocking, so that a FIFO that somebody put there cannot
   * hold the thread.
   * @throws the system's error; `store/failed` when a symbolic link is in the way.
   */
  openFile(relative: string): Promise<FileHandle> {
    return this.#open(relative, O_RDONLY | O_NONBLOCK);
  }

  /** @param relative the folder's path below the root; `''` is the root itself. */
  openFolder(relative: string): Promise<FileHandle> {
    return this.#open(relative, O_RDONLY | O_DIRECTORY);
  }

  /**
   * Opens the root and every folder on the way to `relative`, making those that are missing.
   * @throws `store/unavailable` when the root is not the folder that was opened: nothing may be
   * written to what lies below a file system that is not mounted.
   */
  async makeFolders(relative: string): Promise<FolderChain> {
    const chain = new FolderChain(await this.#openRoot());
    try {
      let path = '';
      for (const name of relative === '' ? [] : relative.split('/')) {
        path = join(path, name);
        chain.push(await this.#openOrMake(chain.leaf, name, path));
      }
      return chain;
    } catch (error) {
      await chain.close();
      throw error;
    }
  }

  /**
   * Called where something was missing, before saying so: a store whose file system has gone is not
   * an empty store.
   * @throws `store/unavailable`
   */
  async requireThere(): Promise<void> {
    const root = await this.#openRoot();
    await root.close();
  }

  async #openRoot(): Promise<FileHandle> {
    const root = await this.#openRootPath();
    try {
      const { dev, ino } = await root.stat();
      if (dev !== this.#identity.device || ino !== this.#identity.inode) throw this.#gone();
      return root;
    } catch (error) {
      await root.close();
      throw error;
    }
  }

  async #openRootPath(): Promise<FileHandle> {
    try {
      return await this.openFolder('');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw this.#gone();
      throw error;
    }
  }

  async #openOrMake(parent: FileHandle, name: string, relative: string): Promise<FileHandle> {
    try {
      return await this.openFolder(relative);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    try {
      await mkdir(entryOf(parent, name), FOLDER_MODE);
    } catch (error) {
      // Somebody else made it first.
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    return this.openFolder(relative);
  }

  async #open(relative: string, flags: number): Promise<FileHandle> {
    const path = join(this.path, relative);
    const handle = await openUnfollowed(path, flags);
    try {
      const actual = await readlink(`/proc/self/fd/${handle.fd}`);
      // The suffix is the kernel's, for a name that was removed after the open.
      if (actual !== path && actual !== `${path} (deleted)`) throw symbolicLink(path);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  #gone() {
    return storeError('store/unavailable', `${this.path} is not the folder that it was`, {
      hint: 'mount the file system of the object store again, or restart the agent if it was moved',
      details: { path: this.path },
    });
  }
}

/**
 * A name in an open folder (`''` is the folder itself), wherever the folder's path leads by now.
 */
export function entryOf(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`;
}

async function openUnfollowed(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags | O_NOFOLLOW);
  } catch (error) {
    // A link in the last place is ELOOP; with O_DIRECTORY it is ENOTDIR, as any other file is.
    const mayBeLink = ['ELOOP', 'ENOTDIR'].includes(errnoOf(error) ?? '');
    if (mayBeLink && (await isSymbolicLink(path))) throw symbolicLink(path);
    throw error;
  }
}

async function isSymbolicLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

function symbolicLink(path: string) {
  return storeError('store/failed', `${path} is reached through a symbolic link`, {
    hint: 'replace the link by what it points to; a directory store follows none',
    details: { path },
  });
}
