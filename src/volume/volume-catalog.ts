import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudvolError, errnoOf } from '../base/errors.ts';
import { geometryOf } from '../base/geometry.ts';
import { translateHostError } from '../base/host-error.ts';
import { isVolumeId } from '../base/ids.ts';
import { corruptVolumeState, type BackingRecord } from '../format/volume-state.ts';
import type { BackingSource } from './backing-source.ts';
import { initialVolumeState, type NewVolume } from './initial-volume-state.ts';
import { lastLifeOf } from './last-life.ts';
import type { LocalDiskDeps } from './local-disk.ts';
import type { AttachmentsDeps } from './volume-attachments.ts';
import { DELETED_SUFFIX, VolumeDirectory } from './volume-directory.ts';
import { VolumeStateFile } from './volume-state-file.ts';
import { Volume } from './volume.ts';

export interface VolumeCatalogDeps extends LocalDiskDeps, AttachmentsDeps {
  /** `<state>/volumes` is made in it. */
  readonly stateDir: string;
  /** On tmpfs; see chooseLiveDirectory. */
  readonly liveDir: string;
}

/** The volumes of one agent. Callers serialise changes of one volume; names are unique. */
export class VolumeCatalog {
  readonly #deps: VolumeCatalogDeps;
  readonly #volumes = new Map<string, Volume>();
  readonly #namesInTheMaking = new Set<string>();

  private constructor(deps: VolumeCatalogDeps) {
    this.#deps = deps;
  }

  /**
   * Finds the volumes of a state directory, finishes what an earlier agent left half done, and
   * makes reachable what was. A volume that cannot be read or opened is left as it is, with an
   * error in the log: the others come up.
   */
  static async open(deps: VolumeCatalogDeps): Promise<VolumeCatalog> {
    const catalog = new VolumeCatalog(deps);
    await mkdir(catalog.#volumesPath, { recursive: true, mode: 0o700 });
    await mkdir(deps.liveDir, { recursive: true, mode: 0o700 });
    await catalog.#removeDeleted();
    for (const id of (await readdir(catalog.#volumesPath)).filter(isVolumeId)) {
      await catalog.#load(id);
    }
    for (const volume of catalog.list()) await catalog.#resume(volume);
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

  /**
   * @throws CloudvolError `volume/exists`, `volume/bad-size`, `host/…` when the file system cannot
   * be made
   */
  async create(wanted: NewVolume): Promise<Volume> {
    return await this.#make(wanted, null, undefined);
  }

  /**
   * A volume whose blocks are all absent. The source is the volume's from now on; on failure it
   * stays the caller's.
   */
  async createAbsent(
    wanted: NewVolume & { backing: BackingRecord; source: BackingSource },
  ): Promise<Volume> {
    return await this.#make(wanted, wanted.backing, wanted.source);
  }

  /**
   * Deleted once this resolves, or rejects for want of removing the remains: the next start of the
   * agent takes that up.
   * @throws CloudvolError `volume/in-use` while it is attached
   */
  async delete(volume: Volume): Promise<void> {
    if (volume.isAttached) {
      throw new CloudvolError('volume/in-use', `volume ${volume.attributes.name} is attached`, {
        hint: `first: cloudvol volume detach ${volume.attributes.name}`,
      });
    }
    await volume.directory.markDeleted();
    this.#volumes.delete(volume.id);
    await volume.discard();
    await volume.directory.removeDeleted();
  }

  /**
   * Detaches everything and makes it durable. Goes through all volumes; throws the first failure
   * afterwards.
   */
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
    await this.#removeLiveDir();
  }

  get #volumesPath(): string {
    return join(this.#deps.stateDir, 'volumes');
  }

  #directoryOf(id: string): VolumeDirectory {
    return new VolumeDirectory(this.#volumesPath, this.#deps.liveDir, id);
  }

  /** What is left belongs to volumes that could not be loaded: those may be mended. */
  async #removeLiveDir(): Promise<void> {
    try {
      await rmdir(this.#deps.liveDir);
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  async #removeDeleted(): Promise<void> {
    for (const name of await readdir(this.#volumesPath)) {
      const id = name.endsWith(DELETED_SUFFIX) ? name.slice(0, -DELETED_SUFFIX.length) : '';
      if (isVolumeId(id)) await this.#removeRemains(id, this.#directoryOf(id));
    }
  }

  async #removeRemains(id: string, directory: VolumeDirectory): Promise<void> {
    await directory.removeDeleted();
    this.#deps.log.info('volume.remains-removed', { volumeId: id });
  }

  async #load(id: string): Promise<void> {
    const directory = this.#directoryOf(id);
    try {
      const state = await directory.readState();
      if (state ? state.phase === 'creating' : !(await directory.hasContent())) {
        // Never acknowledged: nobody counts on it.
        await directory.markDeleted();
        await this.#removeRemains(id, directory);
        return;
      }
      if (!state) throw corruptVolumeState(directory.statePath, 'it is missing');
      if (state.id !== id) throw corruptVolumeState(directory.statePath, 'it is of another volume');
      await directory.removeLeftovers();
      const file = new VolumeStateFile(directory, state);
      this.#volumes.set(id, new Volume(file, directory, this.#deps));
    } catch (error) {
      this.#deps.log.error('volume.not-loaded', { volumeId: id, error });
    }
  }

  /**
   * Opens what goes on by itself (absent blocks), and what did not end in order: whoever asks what
   * is known of a volume's changes is to hear the truth at once.
   */
  async #resume(volume: Volume): Promise<void> {
    const { file, directory } = volume;
    try {
      const { end } = await lastLifeOf(file.current, directory, this.#deps.bootId);
      if (end !== 'orderly' || file.current.backing) await volume.open();
    } catch (error) {
      const { id, attributes } = volume;
      this.#deps.log.error('volume.not-opened', { volumeId: id, name: attributes.name, error });
    }
    await volume.restoreAttachments();
  }

  async #make(
    wanted: NewVolume,
    backing: BackingRecord | null,
    source: BackingSource | undefined,
  ): Promise<Volume> {
    geometryOf(wanted.sizeBytes, wanted.blockBytes);
    this.#requireFreeName(wanted.name);
    this.#namesInTheMaking.add(wanted.name);
    const state = initialVolumeState(wanted, backing, this.#deps.clock.nowMs());
    const directory = this.#directoryOf(state.id);
    let volume: Volume | undefined;
    try {
      await directory.create();
      await directory.writeState(state);
      volume = new Volume(new VolumeStateFile(directory, state), directory, this.#deps, source);
      await volume.open();
      if (!backing) await volume.format();
      await volume.file.update(() => ({ phase: 'ready' }));
      this.#volumes.set(volume.id, volume);
      return volume;
    } catch (error) {
      await this.#unmake(directory, volume);
      throw translateHostError(error);
    } finally {
      this.#namesInTheMaking.delete(wanted.name);
    }
  }

  /** The reason why it could not be made is what the caller wants to hear, not how this went. */
  async #unmake(directory: VolumeDirectory, volume: Volume | undefined): Promise<void> {
    try {
      await volume?.discard({ keepSource: true });
      await directory.markDeleted();
      await directory.removeDeleted();
    } catch (error) {
      this.#deps.log.error('volume.remains-left', { path: directory.path, error });
    }
  }

  #requireFreeName(name: string): void {
    const isTaken = this.list().some(({ attributes }) => attributes.name === name);
    if (!isTaken && !this.#namesInTheMaking.has(name)) return;
    throw new CloudvolError('volume/exists', `there is a volume ${name} already`, {
      hint: 'choose another name, or delete that volume first',
    });
  }
}
