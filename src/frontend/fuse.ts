import { constants, openSync } from 'node:fs';
import { access, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { CloudvolError, errnoOf, hasCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { whileBusy } from '../base/while-busy.ts';
import type { FuseSessionHandle, NativeOverlay } from '../native.ts';
import type { Attachment, Frontend, FrontendTarget } from '../volume/frontend.ts';
import { runHostCommand } from '../volume/host-command.ts';
import { detachLoop, mountPointsOf } from '../volume/host-devices.ts';
import { loopDevicesOf, readMounts } from '../volume/mount-table.ts';

const DEVICE = '/dev/fuse';
/**
 * Backing I/O is synchronous, so this is the queue depth that the disk sees. Measured on two cores with a queue of 32: on a disk
 * 4 threads reach 0.3–0.6 of a raw loop device and 16 0.85–1.1; in memory more than 4 change nothing.
 */
const SESSION_THREADS = 16;

/** mount(2) data of FUSE: fuse(4). The root of this file system is a regular file, so the volume is its mount point. */
const MOUNT_OPTIONS =
  'fd=3,rootmode=100000,user_id=0,group_id=0,allow_other,default_permissions,nosuid,nodev,noexec';

export interface FuseFrontendOptions {
  /** Holds one file per attached volume; made when it is not there. */
  readonly directory: string;
  readonly log: Log;
}

/** Volumes as files: one FUSE connection each, mounted on a placeholder file `<directory>/<name>`. */
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
    const path = join(this.#directory, target.name);
    await this.cleanUp(target.name);
    await mkdir(this.#directory, { recursive: true, mode: 0o755 });
    await (await open(path, 'a', 0o600)).close();
    const { session, ended } = serve(target);
    try {
      // The child has the descriptor too until it ends; session threads answer what it asks while it mounts.
      await runHostCommand(
        'mount',
        ['-i', '-t', 'fuse', '-o', MOUNT_OPTIONS, '--', 'cloudvol', path],
        {
          descriptors: [session.fd],
        },
      );
    } catch (error) {
      await target.native.endFuse(session.handle);
      await rm(path, { force: true });
      throw error;
    }
    return new FuseAttachment(path, target.native, session.handle, ended);
  }

  async cleanUp(name: string): Promise<void> {
    const path = join(this.#directory, name);
    if (!(await isMounted(path))) return;
    // Nobody serves this connection any more: what stands on it only gets errors, and is taken away from the top.
    for (const device of await loopDevicesOf(path)) {
      for (const mountPoint of await mountPointsOf(device))
        await this.#takeAway('umount', ['-l', '--', mountPoint]);
      await this.#takeAway('detach', [device]);
    }
    while (await isMounted(path)) await runHostCommand('umount', ['-l', '--', path]);
    this.#log.warn('frontend.stale-mount-removed', { path });
  }

  /** A part that cannot be taken away is told of and left: the connection itself goes in any case. */
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
  readonly #native: NativeOverlay;
  readonly #session: FuseSessionHandle;

  constructor(
    path: string,
    native: NativeOverlay,
    session: FuseSessionHandle,
    ended: Promise<number>,
  ) {
    this.path = path;
    this.#native = native;
    this.#session = session;
    this.ended = ended.then(async (errno) => {
      await this.#native.endFuse(this.#session);
      await rm(path, { force: true });
      if (errno === 0) return undefined;
      return new CloudvolError(
        'host/fuse-failed',
        `${path} is no longer served: ${getSystemErrorName(-errno)}`,
      );
    });
  }

  async detach(): Promise<void> {
    try {
      await whileBusy(() => runHostCommand('umount', ['-i', '--', this.path]), isBusy, systemClock);
    } catch (error) {
      if (!isBusy(error)) throw error;
      throw new CloudvolError('volume/in-use', `${this.path} is in use`, {
        hint: `end the programs that have it open (fuser -v ${this.path}) and try again`,
        cause: error,
      });
    }
    const error = await this.ended;
    if (error) throw error;
  }
}

function isBusy(error: unknown): boolean {
  return hasCode(error, 'host/command-failed') && /busy/i.test(error.message);
}

function serve({ native, overlay }: FrontendTarget) {
  const fd = openSync(DEVICE, 'r+');
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  return {
    session: { handle: native.serveFuse(overlay, fd, SESSION_THREADS, resolve), fd },
    ended,
  };
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
