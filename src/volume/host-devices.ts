import { readMounts } from './mount-table.ts';
import { runHostCommand } from './host-command.ts';
import { CloudvolError, hasCode } from '../base/errors.ts';
import type { FileSystem } from './volume-api.ts';

/** mkfs writes little, but through a device that may be slow. */
const MKFS_TIMEOUT_MS = 10 * 60_000;

/**
 * Options of mkfs. ext4 zeroes its tables now (holes, so it costs nothing) instead of in the
 * background after the first mount, which would make blocks dirty for no reason.
 */
const MKFS_ARGUMENTS: Readonly<Record<Exclude<FileSystem, 'none'>, readonly string[]>> = {
  ext4: ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0'],
  xfs: ['-q', '-f'],
};

/**
 * Attaches a file to a free loop device, with direct I/O: the page cache lies above it, not below
 * as well.
 */
export async function attachLoop(path: string): Promise<string> {
  try {
    const device = await runHostCommand('losetup', [
      '--find',
      '--show',
      '--direct-io=on',
      '--',
      path,
    ]);
    return device.trim();
  } catch (error) {
    if (
      !hasCode(error, 'host/command-failed') ||
      !/could not find|No such device/i.test(error.message)
    )
      throw error;
    throw new CloudvolError('host/no-loop-device', 'no loop device is free on this host', {
      hint: 'detach one (losetup -l), or raise the limit (max_loop)',
      cause: error,
    });
  }
}

export async function detachLoop(device: string): Promise<void> {
  await runHostCommand('losetup', ['--detach', device]);
}

export async function makeFileSystem(
  device: string,
  kind: Exclude<FileSystem, 'none'>,
): Promise<void> {
  await runHostCommand(`mkfs.${kind}`, [...MKFS_ARGUMENTS[kind], '--', device], {
    timeoutMs: MKFS_TIMEOUT_MS,
  });
}

/**
 * The directory as the kernel's tables name it.
 * @throws CloudvolError `volume/bad-path` when it is not one
 */
export async function resolveDirectory(directory: string): Promise<string> {
  try {
    // With the slash it has to be a directory; printed with NUL, it may hold a newline.
    const path = await runHostCommand('realpath', ['-e', '-z', '--', `${directory}/`]);
    return path.replace(/\0$/, '');
  } catch (error) {
    if (!hasCode(error, 'host/command-failed')) throw error;
    throw notADirectory(directory, error);
  }
}

/** Writes what a mounted file system holds in memory. */
export async function syncFileSystem(directory: string): Promise<void> {
  await runHostCommand('sync', ['--file-system', '--', directory]);
}

export async function mountDevice(
  device: string,
  directory: string,
  kind: FileSystem,
): Promise<void> {
  // A restored XFS has the UUID of its source, which may be mounted on this host too.
  const options = kind === 'xfs' ? ['-o', 'nouuid'] : [];
  const type = kind === 'none' ? [] : ['-t', kind];
  try {
    await runHostCommand('mount', [...type, ...options, '--', device, directory]);
  } catch (error) {
    throw explainMount(error, device, directory);
  }
}

function explainMount(error: unknown, device: string, directory: string): unknown {
  if (!hasCode(error, 'host/command-failed')) return error;
  if (/mount point does not exist|not a directory/i.test(error.message)) {
    return notADirectory(directory, error);
  }
  if (/wrong fs type|can't read superblock|must specify the filesystem type/i.test(error.message)) {
    return new CloudvolError(
      'volume/no-file-system',
      `there is no file system that can be mounted on ${device}`,
      {
        hint: 'make one (mkfs), or check the one that is there (fsck)',
        cause: error,
      },
    );
  }
  return error;
}

function notADirectory(directory: string, cause: unknown): CloudvolError {
  return new CloudvolError('volume/bad-path', `${directory} is not a directory`, {
    hint: `make it first: mkdir -p ${directory}`,
    cause,
  });
}

/** @throws CloudvolError `volume/in-use` when somebody has a file open there */
export async function unmountDirectory(directory: string): Promise<void> {
  try {
    await runHostCommand('umount', ['--', directory]);
  } catch (error) {
    if (!isBusy(error)) throw error;
    throw new CloudvolError('volume/in-use', `${directory} is in use`, {
      hint: `end the programs that use it (fuser -vm ${directory}) and try again`,
      cause: error,
    });
  }
}

/** Whether a tool failed because somebody uses what it was to take away. */
export function isBusy(error: unknown): boolean {
  return hasCode(error, 'host/command-failed') && /busy/i.test(error.message);
}

/** Where a device is mounted now, the last one first. */
export async function mountPointsOf(device: string): Promise<string[]> {
  const mounts = await readMounts();
  return mounts
    .filter(({ source }) => source === device)
    .map(({ mountPoint }) => mountPoint)
    .toReversed();
}
