import { readFile, readdir } from 'node:fs/promises';
import { errnoOf } from '../base/errors.ts';

/** One line of proc(5) mountinfo. Reading it touches no mount. */
export interface MountEntry {
  readonly mountPoint: string;
  readonly source: string;
  readonly fileSystemType: string;
  /** Of the device, `major:minor`; for FUSE the minor is the connection's number. */
  readonly device: string;
}

export async function readMounts(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Fields: id parent major:minor root mountpoint options [tags…] - type source superoptions. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const left = before?.split(' ');
    const [fileSystemType, source] = after?.split(' ') ?? [];
    const [device, , mountPoint] = left?.slice(2) ?? [];
    if (!device || !mountPoint || !fileSystemType || source === undefined) return [];
    return [
      {
        device,
        mountPoint: unescapeOctal(mountPoint),
        fileSystemType,
        source: unescapeOctal(source),
      },
    ];
  });
}

/** Loop devices whose backing file is `path`, from sysfs: asking losetup would open the file. */
export async function loopDevicesOf(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await readdir('/sys/block')).filter((block) => /^loop[0-9]+$/.test(block))) {
    try {
      const backing = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8');
      if (unescapeOctal(backing.trimEnd()) === path) found.push(`/dev/${name}`);
    } catch (error) {
      // A device without a file has no such attribute, or lost it just now.
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENODEV' && errnoOf(error) !== 'ENXIO')
        throw error;
    }
  }
  return found;
}

/** Space, tab, newline and backslash stand as \040 and the like. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
