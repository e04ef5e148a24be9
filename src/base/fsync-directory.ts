import { open } from 'node:fs/promises';

/**
 * Makes the names in a directory durable: new, renamed and removed entries survive a power cut once
 * this resolves.
 */
export async function fsyncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
