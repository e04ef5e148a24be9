import { constants, openSync } from 'node:fs';
import { access, mkdir, open, realpath, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { CloudvolError, errnoOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { whileBusy } from '../base/while-busy.ts';
import type { FuseSessionHandle, NativeOverlay } from '../native.ts';
import type { Attachment, Frontend, FrontendTarget } from '../volume/frontend.ts';
import { runHostCommand } from '../volume/host-command.ts';
import { detachLoop, isBusy, mountPointsOf } from '../volume/host-devices.ts';
import { loopDevicesOf, readMounts } from '../volume/mount-table.ts';

const DEVICE = '/dev/fuse';
/**
 * Backing I/O is synchronous, so this is the queue depth that the disk sees. Measured on two cores
 * with a queue of 32: on a disk 4 threads reach 0.3–0.6 of a raw loop device and 16 0.85–1.1; in
 * memory more than 4 change nothing.
 */
const SESSION_THREADS = 16;

/**
 * From unmounting to the end of the connection. It takes longer only when somebody holds the file
 * open although it has no place any more (umount -l), or when another mount namespace has it too.
 */
const END_PATIENCE_MS = 5_000;

/**
 * mount(2) data of FUSE: fuse(4). The root of this file system is a regular file, so the volume is
 * its mount point.
 */
const MOUNT_OPTIONS =
  'fd=3,rootmode=100000,user_id=0,group_id=0,allow_other,default_permissions,nosuid,nodev,noexec';

export interface FuseFrontendOptions {
  /** Holds one file per attached volume; made when it is not there. */
  readonly directory: string;
  readonly log: Log;
}

/**
 * Volumes as files: one FUSE connection each, mounted on a placeholder file `<directory>/<name>`.
 */
export class FuseFrontend implements Frontend {
  readonly kind = 'fuse';
  readonly #directory: string;
  readonly #log: Log;

  constructor({ directory, log }: FuseFrontendOptions) {
    this.#directory = directory;
    this.#log = log;
  }

  async attach(target: FrontendTarget): Promise<Attachment> {
    await requireHost();
    await mkdir(this.#directory, { recursive: true, mode: 0o755 });
    await this.cleanUp(target.name);
    const path = await this.#pathOf(target.name);
    await (await open(path, 'a', 0o600)).close();
    const { handle, fd, closed } = serve(target);
    try {
      // The child has the descriptor too until it ends; session threads answer what it asks while
      // it mounts.
      const args = ['-i', '-t', 'fuse', '-o', MOUNT_OPTIONS, '--', 'cloudvol', path];
      await runHostCommand('mount', args, { descriptors: [fd] });
    } catch (error) {
      await target.native.endFuse(handle);
      await removePlaceholder(path);
      throw error;
    }
    return new FuseAttachment(path, target.native, handle, closed);
  }

  async cleanUp(name: string): Promise<void> {
    const path = await this.#pathOf(name);
    if (!(await isMounted(path))) return;
    // Nobody serves this connection any more: what stands on it only gets errors, and is taken away
    // from the top.
    for (const device of await loopDevicesOf(path)) {
      for (const mountPoint of await mountPointsOf(device)) {
        await this.#takeAway('umount', ['-l', '--', mountPoint]);
      }
      await this.#takeAway('detach', [device]);
    }
    while (await isMounted(path)) await runHostCommand('umount', ['-l', '--', path]);
    this.#log.warn('frontend.stale-mount-removed', { path });
  }

  /** As the kernel's tables name it, whatever links lead to the directory. */
  async #pathOf(name: string): Promise<string> {
    try {
      return join(await realpath(this.#directory), name);
    } catch (error) {
      // Not made yet: nothing can be mounted in it.
      if (errnoOf(error) === 'ENOENT') return join(this.#directory, name);
      throw error;
    }
  }

  /**
   * A part that cannot be taken away is told of and left: the connection itself goes in any case.
   */
  async #takeAway(what: 'umount' | 'detach', args: readonly string[]): Promise<void> {
    try {
      await (what === 'umount' ? runHostCommand('umount', args) : detachLoop(args[0] ?? ''));
    } catch (error) {
      this.#log.warn('frontend.stale-part-left', { what, args, error });
    }
  }
}

class FuseAttachment implements Attachment {
  readonly path: string;
  readonly ended: Promise<Error | undefined>;

  /** @param closed resolves when the connection is gone, with 0 or an errno value */
  constructor(
    path: string,
    native: NativeOverlay,
    session: FuseSessionHandle,
    closed: Promise<number>,
  ) {
    this.path = path;
    this.ended = closed
      .then(async (errno) => {
        await native.endFuse(session);
        await removePlaceholder(path);
        return await causeOfEnd(path, errno);
      })
      .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  }

  async detach(): Promise<void> {
    try {
      await whileBusy(() => runHostCommand('umount', ['-i', '--', this.path]), isBusy, systemClock);
    } catch (error) {
      if (isBusy(error)) throw this.#inUse(error);
      // Somebody else was faster: what is left to do is to wait for the end.
      if (await isMounted(this.path)) throw error;
    }
    const patience = new AbortController();
    const ended = await Promise.race([
      this.ended.then((error) => ({ error })),
      systemClock.sleep(END_PATIENCE_MS, patience.signal),
    ]).finally(() => patience.abort());
    if (!ended) throw this.#inUse();
    if (ended.error) throw ended.error;
  }

  #inUse(cause?: unknown): CloudvolError {
    return new CloudvolError('volume/in-use', `${this.path} is in use`, {
      hint: `end the programs that have it open (fuser -v ${this.path}) and try again`,
      cause,
    });
  }
}

/** Undefined for an end by unmounting, the orderly one. */
async function causeOfEnd(path: string, errno: number): Promise<CloudvolError | undefined> {
  if (errno !== 0) {
    const name = getSystemErrorName(-errno);
    return new CloudvolError('host/fuse-failed', `${path} is no longer served: ${name}`);
  }
  if (!(await isMounted(path))) return undefined;
  return new CloudvolError('host/fuse-failed', `the kernel has cut the connection of ${path}`, {
    hint: 'attach the volume again',
  });
}

/**
 * The path is looked up in its directory alone, so that this never asks what may be mounted on it;
 * a connection that was cut, not unmounted, still is.
 */
async function removePlaceholder(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EBUSY') throw error;
  }
}

function serve({ native, overlay }: FrontendTarget) {
  const fd = openSync(DEVICE, 'r+');
  const { promise: closed, resolve } = Promise.withResolvers<number>();
  return { handle: native.serveFuse(overlay, fd, SESSION_THREADS, resolve), fd, closed };
}

async function isMounted(path: string): Promise<boolean> {
  return (await readMounts()).some(({ mountPoint }) => mountPoint === path);
}

/** @throws CloudvolError `host/not-root`, `host/no-fuse` */
async function requireHost(): Promise<void> {
  if (process.geteuid?.() !== 0) {
    throw new CloudvolError(
      'host/not-root',
      'attaching a volume needs root, and the agent runs without',
      {
        hint: 'run the agent as root',
      },
    );
  }
  try {
    await access(DEVICE, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new CloudvolError(
      'host/no-fuse',
      `this host has no usable ${DEVICE} (${errnoOf(error) ?? 'unknown'})`,
      {
        hint: 'load the kernel module (modprobe fuse), or give the container the device',
        cause: error,
      },
    );
  }
}
