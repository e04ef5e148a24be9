import { accessSync, constants, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { formatByteSize } from '../base/byte-size.ts';
import { CloudvolError, errnoOf } from '../base/errors.ts';

/** Programs that the demo or the agent runs, and the Debian package of each. */
const PROGRAMS = {
  'mkfs.ext4': 'e2fsprogs',
  mount: 'mount',
  umount: 'mount',
  losetup: 'mount',
  sync: 'coreutils',
} as const;

/** The volume and its two restores, their cloudsnaps, and room to breathe. */
export const NEEDED_BYTES = 3 * 2 ** 30;
/** The volume and its two restores, each on one. */
const NEEDED_LOOPS = 3;

/**
 * What the demo needs of a host, checked before anything is made.
 * @throws CloudvolError with one sentence about the first thing that is missing.
 */
export function checkHost(directory: string): void {
  if (process.getuid?.() !== 0) {
    throw new CloudvolError('demo/not-root', 'the demo mounts file systems, which takes root', {
      hint: 'run it with sudo',
    });
  }
  if (!canOpen('/dev/fuse')) {
    throw new CloudvolError('demo/no-fuse', 'this host has no FUSE: /dev/fuse cannot be opened', {
      hint: 'load it with: modprobe fuse; a container needs --device /dev/fuse and SYS_ADMIN',
    });
  }
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    if (isInstalled(program)) continue;
    throw new CloudvolError('demo/no-tool', `${program} is not installed`, {
      hint: `install it with: apt-get install ${debianPackage}`,
    });
  }
  checkLoops();
  const freeBytes = freeBytesOf(directory);
  if (freeBytes < NEEDED_BYTES) {
    const [needed, free] = [NEEDED_BYTES, freeBytes].map(formatByteSize);
    const message = `the demo takes up to ${needed}, and ${directory} has ${free} left`;
    throw new CloudvolError('demo/no-space', message, {
      hint: 'name a folder with more room with --dir',
    });
  }
}

function checkLoops(): void {
  // The kernel makes loop devices as they are asked for, where it can be asked.
  if (canOpen('/dev/loop-control')) return;
  const free = readdirSync('/sys/block').filter((name) => name.startsWith('loop') && isFree(name));
  if (free.length >= NEEDED_LOOPS) return;
  throw new CloudvolError('demo/no-loop', `only ${free.length} loop devices are free`, {
    hint: 'load the module with: modprobe loop; a container needs the devices passed in',
  });
}

function isFree(loop: string): boolean {
  try {
    readFileSync(`/sys/block/${loop}/loop/backing_file`);
    return false;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true;
    throw error;
  }
}

function freeBytesOf(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch (error) {
    throw new CloudvolError('demo/no-directory', `there is no folder ${directory} to work in`, {
      hint: 'name one that exists with --dir',
      cause: error,
    });
  }
}

function canOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    // Whether it is missing or forbidden, it cannot be used.
    return false;
  }
}

function isInstalled(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
      return false;
    }
  });
}
