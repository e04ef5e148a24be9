import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { sha256Hex } from '../base/sha256.ts';

/** f_type of tmpfs and ramfs: statfs(2). */
const MEMORY_FILE_SYSTEMS = [0x01021994, 0x858458f6];
const SHARED_MEMORY = '/dev/shm';

/**
 * Where live bits lie: `preferred` if that is in memory, else a folder of this state directory's
 * own in /dev/shm. Bits on a disk would stall writers behind its writeback, and a power cut could
 * leave them newer than the data.
 */
export async function chooseLiveDirectory(preferred: string, stateDir: string): Promise<string> {
  if (await isInMemory(preferred)) return preferred;
  const fallback = join(SHARED_MEMORY, `cloudvol-${sha256Hex(stateDir).slice(0, 16)}`);
  return (await isInMemory(SHARED_MEMORY)) ? fallback : preferred;
}

async function isInMemory(path: string): Promise<boolean> {
  try {
    return MEMORY_FILE_SYSTEMS.includes((await statfs(path)).type);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || path === '/') throw error;
    return await isInMemory(dirname(path));
  }
}
