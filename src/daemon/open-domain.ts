import { statfs } from 'node:fs/promises';
import { join } from 'node:path';

import { runBackup } from '../backup/run-backup.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { FileCatalog } from '../catalog/file-catalog.ts';
import { openRepository } from '../cloudsnap/repository.ts';
import { chooseLiveDirectory } from '../config/live-directory.ts';
import { FuseFrontend } from '../frontend/fuse.ts';
import { loadNative } from '../native.ts';
import { openChainSource } from '../restore/chain-source.ts';
import { hydrateLazily } from '../restore/hydrate-lazily.ts';
import { hydrate } from '../restore/hydrate.ts';
import { openStore } from '../store/open-store.ts';
import { readBootId } from '../volume/boot-id.ts';
import { VolumeCatalog } from '../volume/volume-catalog.ts';
import type { Domain } from './domain.ts';
import { hostIdOf } from './host-id.ts';

/**
 * Of the free space, what cloudsnaps under way may use to keep blocks that writers replace: the
 * rest is the writers'.
 */
const SIDE_SHARE = 1 / 4;

/** The real volumes, stores and recipes. @throws CloudvolError `native/missing` */
export function openDomain(clock: Clock, log: Log): Domain {
  const native = loadNative();
  return {
    async openVolumes({ config, openBacking }) {
      const { stateDir, runtimeDir } = config;
      return VolumeCatalog.open({
        stateDir,
        liveDir: await chooseLiveDirectory(config.liveDir, stateDir),
        native,
        frontend: new FuseFrontend({ directory: join(runtimeDir, 'volumes'), log }),
        bootId: readBootId(),
        maxSideBytes: await sideBytesOf(stateDir),
        openBacking,
        clock,
        log,
      });
    },
    async openCatalog({ stateDir, runtimeDir, liveDir }) {
      const directory = join(runtimeDir, 'catalog');
      const live = await chooseLiveDirectory(liveDir, stateDir);
      return FileCatalog.open({
        places: { stateDir: join(stateDir, 'catalog'), liveDir: join(live, 'catalog') },
        directory,
        frontend: new FuseFrontend({ directory, log }),
        native,
        bootId: readBootId(),
        // Nobody takes views of an image.
        maxSideBytes: 0,
        clock,
        log,
      });
    },
    openStore: (target) => openStore(target, { clock, log }),
    openRepository: async (store, clusterId, passphrase) => {
      const options = { store, clusterId, clock, log, hostId: hostIdOf(clusterId) };
      return openRepository(passphrase === undefined ? options : { ...options, passphrase });
    },
    recipes: {
      runBackup,
      openChainSource: (repository, entry, signal) =>
        openChainSource({ repository, entry, clock, log, ...(signal && { signal }) }),
      hydrate: (target, source, task) => hydrate(target, source, {}, task),
      hydrateLazily: (target, source, task) => hydrateLazily(target, source, clock, task),
    },
  };
}

async function sideBytesOf(stateDir: string): Promise<number> {
  const { bavail, bsize } = await statfs(stateDir);
  return Math.floor(bavail * bsize * SIDE_SHARE);
}
