import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { release } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { cacheFolder } from './servers/cache-folder.ts';

/** Of Debian's python3-swift, which brings no program. */
const SWIFT = '/usr/lib/python3/dist-packages/swift/common/middleware/s3api/s3api.py';

/** What a test may need of the host. Each says what is missing, and undefined when it is there. */
const NEEDS = {
  root: () => (process.getuid?.() === 0 ? undefined : 'this is not run as root'),
  fuse: () => (canUse('/dev/fuse') ? undefined : 'there is no /dev/fuse'),
  loop: () => (canUse('/dev/loop-control') ? undefined : 'there are no loop devices'),
  fio: () => tool('fio'),
  'mkfs.ext4': () => tool('mkfs.ext4'),
  'mkfs.xfs': () => tool('mkfs.xfs'),
  e2fsck: () => tool('e2fsck'),
  losetup: () => tool('losetup'),
  setfattr: () => tool('setfattr'),
  'qemu-img': () => tool('qemu-img'),
  radosgw: () => tool('radosgw') ?? tool('ceph-mon') ?? tool('ceph-osd'),
  swift: () =>
    canUse(SWIFT, constants.R_OK) ? undefined : 'swift is not installed (npm run test:deps)',
  azurite: () => installed('azurite-3.37.0', 'node_modules/azurite/package.json'),
  'fake-gcs-server': () => installed('fake-gcs-server-1.56.1', 'fake-gcs-server'),
  /** FUSE_NOTIFY_RESEND: requests of a killed agent are delivered to the next one. */
  resend: () => kernel(6, 9),
} as const satisfies Record<string, () => string | undefined>;

export type Need = keyof typeof NEEDS;
type Implementation = (t: ExecutionContext) => Promise<void> | void;

/** Missing here, but no fault of whoever set the machine up: skipped in CI as well. */
const EXCUSED: readonly Need[] = ['resend'];

/** Under these nothing may be skipped that `npm run test:deps` or a proper machine provides. */
const NO_SKIPS = process.env['CI'] === 'true' || process.env['CLOUDVOL_NO_SKIPS'] === '1';

/**
 * A `test` for a host that has all of `needs`; where something is missing, the test is skipped
 * and its title says what. In CI it fails instead, unless the kernel is to blame.
 */
export function requires(...needs: readonly Need[]): (title: string, run: Implementation) => void {
  const missing = missingNeed(needs);
  if (missing === undefined) return (title, run) => test.serial(title, run);
  const reason = NEEDS[missing]() ?? '';
  return (title, run) => {
    if (NO_SKIPS && !EXCUSED.includes(missing)) test.serial(title, (t) => t.fail(reason));
    else test.serial.skip(`${title} (skipped: ${reason})`, run);
  };
}

/** Whether the host has all of `needs`: for files whose tests come from elsewhere. */
export function hasAll(...needs: readonly Need[]): boolean {
  return missingNeed(needs) === undefined;
}

function missingNeed(needs: readonly Need[]): Need | undefined {
  return needs.find((need) => NEEDS[need]() !== undefined);
}

function tool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = folders.some((folder) => canUse(join(folder, name), constants.X_OK));
  return found ? undefined : `${name} is not installed (npm run test:deps)`;
}

/** A server that test:deps put into the cache folder. */
function installed(server: string, file: string): string | undefined {
  return canUse(join(cacheFolder(server), file), constants.R_OK)
    ? undefined
    : `${server} is not installed (npm run test:deps)`;
}

function kernel(major: number, minor: number): string | undefined {
  const [thisMajor = 0, thisMinor = 0] = release().split(/[.-]/).map(Number);
  return thisMajor > major || (thisMajor === major && thisMinor >= minor)
    ? undefined
    : `this kernel is older than Linux ${major}.${minor}`;
}

function canUse(path: string, mode: number = constants.R_OK | constants.W_OK): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // Not there or not allowed: the test cannot use it either way.
    return false;
  }
}
