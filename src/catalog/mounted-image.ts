import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudvolError, hasCode, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Frontend } from '../volume/frontend.ts';
import { runHostCommand } from '../volume/host-command.ts';
import { attachLoop, detachLoop } from '../volume/host-devices.ts';
import type { LocalDiskDeps } from '../volume/local-disk.ts';
import type { Image } from './image.ts';
import { openScratchDisk, type ScratchDisk, type ScratchPlaces } from './scratch-disk.ts';

/** A journal of some 100 MiB may have to come over a slow line before a mount is done. */
const MOUNT_TIMEOUT_MS = 10 * 60_000;

/**
 * Nothing in the image may become a device, a program or a way out of it. The device below is
 * writable, so that the kernel replays the journal (into the scratch disk) before it mounts
 * read-only: a crash-consistent image without that shows directories and files half-changed.
 */
const SHARED_OPTIONS = 'ro,nodev,nosuid,noexec,nosymfollow';
const MOUNT_OPTIONS = {
  // What the superblock says about errors might be `panic`.
  ext4: `${SHARED_OPTIONS},errors=remount-ro`,
  // The volume it was taken of has the same UUID, and may be mounted here.
  xfs: `${SHARED_OPTIONS},nouuid`,
} as const;

export interface MountDeps extends Omit<LocalDiskDeps, 'openBacking'> {
  readonly places: ScratchPlaces;
  /** Presents scratch disks as `<directory>/<id>`. */
  readonly frontend: Frontend;
  /** Where they are mounted: `<directory>/<id>.tree`; the agent's alone. */
  readonly directory: string;
  readonly log: Log;
}

export interface MountedImage extends AsyncDisposable {
  /** Where its root is mounted, read-only. Only processes of their own may look into it. */
  readonly root: string;
  /**
   * @returns what hindered a process that looked into it: why blocks could not be fetched, if that
   * is what it suffered from; else `error`
   */
  causeOf(error: unknown): unknown;
  /** Unmounted and removed. Who looks into it must have ended. Never throws. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a process says that suffered an EIO. */
const VAGUE = ['catalog/unreadable', 'host/command-failed', 'host/command-timeout'] as const;

/** The suffix of the directory that an image is mounted on. */
export const TREE_SUFFIX = '.tree';

/**
 * Mounts the file system of an image, without fetching more than the kernel asks for.
 * @param signal ends waiting reads: whoever waits for one gets an error
 * @throws CloudvolError `catalog/not-mountable`, what the source throws, `host/…`
 */
export async function mountImage(
  image: Image,
  fileSystem: 'ext4' | 'xfs',
  budgetBytes: number,
  deps: MountDeps,
  signal: AbortSignal,
): Promise<MountedImage> {
  const scratch = await openScratchDisk(image, deps.places, deps, budgetBytes);
  const stack = new AsyncDisposableStack();
  stack.defer(() => scratch.discard());
  const cut = () => void scratch.source.close();
  signal.addEventListener('abort', cut, { once: true });
  stack.defer(() => signal.removeEventListener('abort', cut));
  const causeOf = (error: unknown) => {
    const isVague = VAGUE.some((code) => hasCode(error, code));
    return isVague ? (scratch.source.failure ?? error) : error;
  };
  const close = () => closeAll(stack, scratch, deps);
  try {
    signal.throwIfAborted();
    const device = await present(scratch, deps, stack);
    const root = join(deps.directory, `${scratch.id}${TREE_SUFFIX}`);
    await mkdir(root, { mode: 0o700 });
    stack.defer(() => rmdir(root));
    await mount(device, root, fileSystem);
    stack.defer(() => unmount(root));
    return { root, causeOf, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw notMountable(causeOf(error), image, fileSystem);
  }
}

async function present(
  { id, disk }: ScratchDisk,
  { native, frontend }: MountDeps,
  stack: AsyncDisposableStack,
): Promise<string> {
  const overlay = await disk.open();
  const attachment = await frontend.attach({ name: id, native, overlay });
  stack.defer(() => attachment.detach());
  const device = await attachLoop(attachment.path);
  stack.defer(() => detachLoop(device));
  return device;
}

async function mount(device: string, root: string, fileSystem: 'ext4' | 'xfs'): Promise<void> {
  const args = ['-i', '-t', fileSystem, '-o', MOUNT_OPTIONS[fileSystem], '--', device, root];
  await runHostCommand('mount', args, { timeoutMs: MOUNT_TIMEOUT_MS });
}

async function unmount(root: string): Promise<void> {
  try {
    await runHostCommand('umount', ['-i', '--', root]);
  } catch (error) {
    if (!hasCode(error, 'host/command-failed')) throw error;
    // Somebody looks into it (a program that scans every mount, a shell): it goes with them.
    await runHostCommand('umount', ['-i', '-l', '--', root]);
  }
}

/** What does not go in order is taken away by force: nothing of it is worth keeping. */
async function closeAll(
  stack: AsyncDisposableStack,
  { id }: ScratchDisk,
  { frontend, log }: MountDeps,
): Promise<void> {
  try {
    await stack.disposeAsync();
  } catch (error) {
    log.warn('catalog.image-not-closed', { id, error });
    await frontend.cleanUp(id).catch((later: unknown) => {
      log.error('catalog.image-left', { id, error: later });
    });
  }
}

function notMountable(error: unknown, { cloudsnapId }: Image, fileSystem: string): unknown {
  if (!hasCode(error, 'host/command-failed')) return error;
  const message = `the ${fileSystem} file system in ${cloudsnapId} cannot be mounted`;
  return new CloudvolError('catalog/not-mountable', `${message}: ${messageOf(error)}`, {
    hint: 'restore it and check it (fsck), or look into another cloudsnap of the volume',
    cause: error,
  });
}
