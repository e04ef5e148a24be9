import { readFileSync } from 'node:fs';

/** One line of proc_pid_mountinfo(5). */
export interface Mount {
  readonly path: string;
  /** Minor number of the device: of a FUSE mount, the name of its connection in sysfs. */
  readonly minor: string;
  readonly type: string;
  readonly source: string;
}

/** What is mounted in this process's namespace, in the order of mounting: the innermost last. */
export function readMounts(): Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , device = '', , path = ''] = before.split(' ');
      const [type = '', source = ''] = after.split(' ');
      return {
        path: unescape(path),
        minor: device.split(':')[1] ?? '',
        type,
        source: unescape(source),
      };
    });
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
