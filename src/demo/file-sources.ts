import { join } from 'node:path';
import type { FileSource } from './tree/find-files.ts';

/** What the demo promises to copy at least: enough that a backup takes seconds. */
export const LEAST_FILE_BYTES = 300e6;
/** And at most, so that the demo stays a matter of a minute. */
export const MOST_FILE_BYTES = 330e6;

const MIB = 1 << 20;

/**
 * Files that every machine with cloudvol has: thousands of small ones first, then large ones. The
 * last places only matter where the first hold little.
 */
export const FILE_SOURCES: readonly FileSource[] = [
  { path: '/usr/share/doc', limitBytes: 25 * MIB },
  { path: join(import.meta.dirname, '../../node_modules'), limitBytes: 100 * MIB },
  { path: '/usr/lib', limitBytes: MOST_FILE_BYTES },
  { path: '/usr/share', limitBytes: MOST_FILE_BYTES },
  { path: '/usr/bin', limitBytes: MOST_FILE_BYTES },
  { path: '/usr/local', limitBytes: MOST_FILE_BYTES },
];
