/**
 * Where a body is written before it gets its name: `<root>/.tmp./<owner>.<random>`. No key can name
 * the folder, since no part of a key ends in a dot. The owner is boot, pid namespace, pid and start
 * time, so that the next open of the store can tell the leavings of a killed process from the work
 * of a living one.
 */
import { randomBytes } from 'node:crypto';
import { lstat, open, readdir, readFile, readlink, rm, type FileHandle } from 'node:fs/promises';
import { errnoOf } from '../../base/errors.ts';
import type { FolderChain } from './folder-chain.ts';
import { entryOf, type RootFolder } from './root-folder.ts';

const TEMPORARY_FOLDER = '.tmp.';
const FILE_MODE = 0o600;
/**
 * Owners on other hosts, containers or earlier boots cannot be looked up; no put takes this long.
 */
const MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** Makes temporary files of this process, and removes those of dead ones. */
export class TemporaryFolder {
  readonly #root: RootFolder;
  readonly #owner: string;

  private constructor(root: RootFolder, owner: string) {
    this.#root = root;
    this.#owner = owner;
  }

  static async open(root: RootFolder): Promise<TemporaryFolder> {
    return new TemporaryFolder(root, await ownerName());
  }

  async createFile(): Promise<TemporaryFile> {
    const name = `${this.#owner}.${randomBytes(8).toString('hex')}`;
    const folders = await this.#root.makeFolders(TEMPORARY_FOLDER);
    try {
      const handle = await open(entryOf(folders.leaf, name), 'wx', FILE_MODE);
      return new TemporaryFile(folders, name, handle);
    } catch (error) {
      await folders.close();
      throw error;
    }
  }

  /** Removes what dead processes left behind. */
  async sweep(nowMs: number): Promise<void> {
    await using folder = await openIfPresent(this.#root);
    if (!folder) return;
    for (const name of await readdir(entryOf(folder, ''))) {
      const path = entryOf(folder, name);
      if ((await isOwnerDead(name)) || (await isOlderThan(path, nowMs - MAX_AGE_MS))) {
        await rm(path, { force: true, recursive: true });
      }
    }
  }
}

/**
 * A file without a key yet. Disposing removes the temporary name, which no longer exists once it
 * was renamed.
 */
export class TemporaryFile {
  readonly handle: FileHandle;
  readonly #folders: FolderChain;
  readonly #name: string;

  constructor(folders: FolderChain, name: string, handle: FileHandle) {
    this.#folders = folders;
    this.#name = name;
    this.handle = handle;
  }

  get path(): string {
    return entryOf(this.#folders.leaf, this.#name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.handle.close();
      await rm(this.path, { force: true });
    } finally {
      await this.#folders.close();
    }
  }
}

async function openIfPresent(root: RootFolder): Promise<FileHandle | undefined> {
  try {
    return await root.openFolder(TEMPORARY_FOLDER);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** `<boot id>.<pid namespace>.<pid>.<start time>`; the same for the life of this process. */
async function ownerName(): Promise<string> {
  return `${await hostName()}.${process.pid}.${await startTimeOf('self')}`;
}

/**
 * What pids are relative to: they mean nothing on another host, after a reboot or in another
 * container.
 */
async function hostName(): Promise<string> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
  const pidNamespace = (await readlink('/proc/self/ns/pid')).replace(/\D/g, '');
  return `${bootId}.${pidNamespace}`;
}

async function isOwnerDead(name: string): Promise<boolean> {
  const [bootId, pidNamespace, pid, startTime] = name.split('.');
  if (`${bootId}.${pidNamespace}` !== (await hostName()) || !/^\d+$/.test(pid ?? '')) return false;
  return (await startTimeOf(pid!)) !== startTime;
}

/**
 * In clock ticks since boot; with the pid it names a process for good. undefined when there is no
 * such process.
 */
async function startTimeOf(pid: string): Promise<string | undefined> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, 'latin1');
    // proc_pid_stat(5): the command in brackets may hold anything; after it come field 3 (state) …
    // 22 (starttime).
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[22 - 3];
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

async function isOlderThan(path: string, timeMs: number): Promise<boolean> {
  try {
    return (await lstat(path)).mtimeMs < timeMs;
  } catch (error) {
    // Its owner has just finished.
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
