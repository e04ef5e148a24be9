import { readFileSync } from 'node:fs';

/** Changes with every boot of the kernel: proc(5), /proc/sys/kernel/random/boot_id. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
