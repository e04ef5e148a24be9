import { mkdir, readdir, realpath, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { Frontend } from '../volume/frontend.ts';
import { runHostCommand } from '../volume/host-command.ts';
import { readMounts } from '../volume/mount-table.ts';
import { TREE_SUFFIX } from './mounted-image.ts';
import type { ScratchPlaces } from './scratch-disk.ts';

export interface LeftoverDeps {
  readonly places: ScratchPlaces;
  readonly frontend: Frontend;
  readonly directory: string;
  readonly log: Log;
}

/**
 * Takes away what an agent that was killed had mounted to look into cloudsnaps, and makes the
 * places for this one. What would not go is logged: nothing depends on it.
 */
export async function removeLeftovers(deps: LeftoverDeps): Promise<void> {
  const { places, directory, log } = deps;
  for (const path of [places.stateDir, places.liveDir]) {
    await rm(path, { recursive: true, force: true });
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) {
    try {
      if (name.endsWith(TREE_SUFFIX)) continue;
      await deps.frontend.cleanUp(name);
      await unlink(join(directory, name));
      log.info('catalog.leftover-removed', { name });
    } catch (error) {
      log.error('catalog.leftover-left', { name, error });
    }
  }
  await removeTrees(deps);
}

/** Those that lost their devices go as well. */
async function removeTrees({ directory, log }: LeftoverDeps): Promise<void> {
  const real = await realpath(directory);
  for (const name of (await readdir(real)).filter((other) => other.endsWith(TREE_SUFFIX))) {
    const path = join(real, name);
    try {
      const mounts = (await readMounts()).filter(({ mountPoint }) => mountPoint === path);
      for (const { mountPoint } of mounts) await runHostCommand('umount', ['-l', '--', mountPoint]);
      await rmdir(path);
    } catch (error) {
      log.error('catalog.leftover-left', { name, error });
    }
  }
}
