import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { readMounts } from './mount-table.ts';
import { endProcesses, isAlive } from './end-processes.ts';
import { isBelow, type Registry } from './registry.ts';
import { remainingLoops, remainingMounts, undoMounts } from './undo-mounts.ts';

/**
 * Undoes everything in the registry: processes first (without a server, nothing that waits for it
 * can hang for ever), then mounts and loop devices, then directories.
 * @returns one sentence for each thing that is still there.
 */
export async function cleanUp(registry: Registry): Promise<string[]> {
  await endProcesses(registry.processes);
  await undoMounts(registry);
  for (const directory of [...registry.directories].toReversed()) await removeDirectory(directory);
  return [
    ...registry.processes.filter(isAlive).map(({ pid }) => `process ${pid} still runs`),
    ...remainingMounts(registry).map(({ path }) => `${path} is still mounted`),
    ...remainingLoops(registry).map(({ path, backing }) => `${path} still holds ${backing}`),
    ...[...registry.directories].filter(existsSync).map((path) => `${path} is still there`),
  ];
}

async function removeDirectory(directory: string): Promise<void> {
  // Removing would go on into whatever is mounted below.
  if (readMounts().some(({ path }) => isBelow(path, directory))) return;
  try {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // The directory is still there, and the report says so.
  }
}
