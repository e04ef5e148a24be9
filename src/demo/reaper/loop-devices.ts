import { readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';

export interface LoopDevice {
  /** `/dev/loop3` */
  readonly path: string;
  /** The file behind it; without the kernel's mark for one that was deleted. */
  readonly backing: string;
}

/** Every loop device that has a file behind it. */
export function readLoopDevices(): LoopDevice[] {
  return readdirSync('/sys/block')
    .filter((name) => /^loop\d+$/.test(name))
    .flatMap((name) => {
      const backing = backingOf(name);
      return backing === undefined ? [] : [{ path: `/dev/${name}`, backing }];
    });
}

function backingOf(name: string): string | undefined {
  try {
    const text = readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8');
    return text.replace(/\n$/, '').replace(/ \(deleted\)$/, '');
  } catch (error) {
    // Not attached, or detached just now.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENXIO') return undefined;
    throw error;
  }
}
