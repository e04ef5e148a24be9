import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudvolError } from '../base/errors.ts';
import { geometryOf } from '../base/geometry.ts';
import { isVolumeId, newVolumeId } from '../base/ids.ts';
import type { BackingRecord, VolumeState } from '../format/volume-state.ts';
import type { BackingSource } from './backing-source.ts';
import type { LocalDiskDeps } from './local-disk.ts';
import type { AttachmentsDeps } from './volume-attachments.ts';
import { VolumeDirectory } from './volume-directory.ts';
import { VolumeStateFile } from './volume-state-file.ts';
import { Volume } from './volume.ts';
import type { FileSystem } from './volume-api.ts';

export interface VolumeCatalogDeps extends LocalDiskDeps, AttachmentsDeps {
  /** `<state>/volumes` is made in it. */
  readonly stateDir: string;
  /** On tmpfs; see chooseLiveDirectory. */
  readonly liveDir: string;
}

export interface NewVolume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly fileSystem: FileSystem;
  readonly labels: Readonly<Record<string, string>>;
}

/** The volumes of one agent. Callers serialise changes of one volume; names are unique. */
export class VolumeCatalog {
  readonly #deps: VolumeCatalogDeps;
  readonly #volumes = new Map<string, Volume>();

  private constructor(deps: VolumeCatalogDeps) {
    this.#deps = deps;
  }

  /**
   * Finds the volumes of a state directory, finishes what an earlier agent left half done, and makes reachable what was.
   * A volume whose state cannot be read is left alone, with an error in the log: the others come up.
   */
  static async open(deps: VolumeCatalogDeps): Promise<VolumeCatalog> {
    const catalog = new VolumeCatalog(deps);
    await mkdir(catalog.#volumesPath, { recursive: true, mode: 0o700 });
    await mkdir(deps.liveDir, { recursive: true, mode: 0o700 });
    for (const id of (await readdir(catalog.#volumesPath)).filter(isVolumeId))
      await catalog.#load(id);
    for (const volume of catalog.list()) {
      if (volume.file.current.backing || volume.file.current.inUse) await volume.open();
      await volume.restoreAttachments();
    }
    return catalog;
  }

  list(): readonly Volume[] {
    return [...this.#volumes.values()];
  }

  /** @throws CloudvolError `volume/not-found` */
  find(nameOrId: string): Volume {
    const found =
      this.#volumes.get(nameOrId) ??
      this.list().find(({ attributes }) => attributes.name === nameOrId);
    if (found) return found;
    throw new CloudvolError('volume/not-found', `there is no volume ${nameOrId}`, {
      hint: 'see the volumes that there are: cloudvol volume list',
    });
  }

  /** @throws CloudvolError `volume/exists`, `volume/bad-size`, `host/…` when the file system cannot be made */
  async create(wanted: NewVolume): Promise<Volume> {
    return await this.#make(wanted, null, undefined);
  }

  /** A volume whose blocks are all absent. The source is the volume's from now on; on failure it stays the caller's. */
  async createAbsent(
    wanted: NewVolume & { backing: BackingRecord; source: BackingSource },
  ): Promise<Volume> {
    return await this.#make(wanted, wanted.backing, wanted.source);
  }

  /** @throws CloudvolError `volume/in-use` while it is attached. Takes up a removal that was cut short. */
  async delete(volume: Volume): Promise<void> {
    if (volume.isAttached) {
      throw new CloudvolError('volume/in-use', `volume ${volume.attributes.name} is attached`, {
        hint: `first: cloudvol volume detach ${volume.attributes.name}`,
      });
    }
    await volume.file.update(() => ({ phase: 'deleting' }));
    this.#volumes.delete(volume.id);
    await volume.discard();
    await volume.directory.remove();
  }

  /** Detaches everything and makes it durable. Goes through all volumes; throws the first failure afterwards. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const volume of this.list()) {
      try {
        await volume.close();
      } catch (error) {
        this.#deps.log.error('volume.not-closed', {
          volumeId: volume.id,
          name: volume.attributes.name,
          error,
        });
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    await rm(this.#deps.liveDir, { recursive: true, force: true });
  }

  get #volumesPath(): string {
    return join(this.#deps.stateDir, 'volumes');
  }

  #directoryOf(id: string): VolumeDirectory {
    return new VolumeDirectory(this.#volumesPath, this.#deps.liveDir, id);
  }

  async #load(id: string): Promise<void> {
    const { log } = this.#deps;
    const directory = this.#directoryOf(id);
    try {
      const state = await directory.readState();
      if (!state || state.phase !== 'ready') {
        // Never acknowledged, or asked to go: nobody counts on it.
        await directory.remove();
        log.info('volume.remains-removed', { volumeId: id, phase: state?.phase });
        return;
      }
      this.#volumes.set(
        id,
        new Volume(new VolumeStateFile(directory, state), directory, this.#deps),
      );
    } catch (error) {
      log.error('volume.not-loaded', { volumeId: id, error });
    }
  }

  async #make(
    wanted: NewVolume,
    backing: BackingRecord | null,
    source: BackingSource | undefined,
  ): Promise<Volume> {
    geometryOf(wanted.sizeBytes, wanted.blockBytes);
    this.#requireFreeName(wanted.name);
    const state = initialState(wanted, backing, this.#deps.clock.nowMs());
    const directory = this.#directoryOf(state.id);
    try {
      await directory.create();
      await directory.writeState(state);
      const volume = new Volume(
        new VolumeStateFile(directory, state),
        directory,
        this.#deps,
        source,
      );
      await this.#prepare(volume);
      await volume.file.update(() => ({ phase: 'ready' }));
      this.#volumes.set(volume.id, volume);
      return volume;
    } catch (error) {
      await directory.remove();
      throw error;
    }
  }

  async #prepare(volume: Volume): Promise<void> {
    await volume.open();
    if (volume.file.current.backing) return;
    try {
      await volume.format();
    } catch (error) {
      await volume.discard();
      throw error;
    }
  }

  #requireFreeName(name: string): void {
    if (!this.list().some(({ attributes }) => attributes.name === name)) return;
    throw new CloudvolError('volume/exists', `there is a volume ${name} already`, {
      hint: 'choose another name, or delete that volume first',
    });
  }
}

function initialState(
  wanted: NewVolume,
  backing: BackingRecord | null,
  createdMs: number,
): VolumeState {
  return {
    id: newVolumeId(),
    name: wanted.name,
    sizeBytes: wanted.sizeBytes,
    blockBytes: wanted.blockBytes,
    fileSystem: wanted.fileSystem,
    labels: wanted.labels,
    createdMs,
    phase: 'creating',
    inUse: false,
    session: '',
    bootId: '',
    epoch: 0,
    bitsLostBefore: 0,
    chains: [],
    pendingCommits: [],
    backing,
    attachment: null,
  };
}
