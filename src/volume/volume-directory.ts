import { hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readFileIfPresent, writeFileAtomically } from '../base/atomic-file.ts';
import { errnoOf } from '../base/errors.ts';
import { fsyncDirectory } from '../base/fsync-directory.ts';
import {
  corruptVolumeState,
  decodeVolumeState,
  encodeVolumeState,
  MAX_VOLUME_STATE_BYTES,
  type VolumeState,
} from '../format/volume-state.ts';

/** Unit of st_blocks: stat(2). */
const STAT_BLOCK_BYTES = 512;
/** Added to the name of a folder whose volume was deleted: it is being removed. */
export const DELETED_SUFFIX = '.deleted';
/** Of no use to the next process: halves of atomic writes, side stores not yet nameless. */
const LEFTOVER = /^\..*\.tmp$|\.new$|^view-[0-9]+$/;

/**
 * Where a volume lies on this host.
 *
 * - `<state>/volumes/<id>/`: `volume.json`, `data` (the disk, sparse), `delta-<epoch>` (sealed
 *   dirty bits), `present` (durable present bits, only while there is a backing source),
 *   `uploads/` (journals of cloudsnaps that are not committed yet)
 * - `<live>/<id>/<session>/` on tmpfs: `delta-<epoch>` (active dirty bits), `present`
 */
export class VolumeDirectory {
  readonly path: string;
  readonly livePath: string;

  constructor(volumesPath: string, liveVolumesPath: string, id: string) {
    this.path = join(volumesPath, id);
    this.livePath = join(liveVolumesPath, id);
  }

  get statePath(): string {
    return join(this.path, 'volume.json');
  }
  get dataPath(): string {
    return join(this.path, 'data');
  }
  get presentPath(): string {
    return join(this.path, 'present');
  }
  sidePath(epoch: number): string {
    return join(this.path, `view-${epoch}`);
  }
  /** A repository's id is a location, which is no file name. */
  uploadJournalPath(repositoryId: string): string {
    return join(this.path, 'uploads', `${hash('sha256', repositoryId, 'hex')}.journal`);
  }
  /** Of every repository. */
  async uploadJournalPaths(): Promise<string[]> {
    const uploads = join(this.path, 'uploads');
    const names = await namesIn(uploads);
    return names.filter((name) => name.endsWith('.journal')).map((name) => join(uploads, name));
  }
  deltaPath(epoch: number): string {
    return join(this.path, `delta-${epoch}`);
  }
  livePresentPath(session: string): string {
    return join(this.livePath, session, 'present');
  }
  liveDeltaPath(session: string, epoch: number): string {
    return join(this.livePath, session, `delta-${epoch}`);
  }

  async create(): Promise<void> {
    await mkdir(this.path, { mode: 0o700 });
    await fsyncDirectory(dirname(this.path));
  }

  async ensureLive(session: string): Promise<void> {
    await mkdir(join(this.livePath, session), { recursive: true, mode: 0o700 });
  }

  /**
   * @returns undefined when there is none
   * @throws CloudvolError `volume/corrupt-state`
   */
  async readState(): Promise<VolumeState | undefined> {
    const found = await statIfPresent(this.statePath);
    if (found && found.size > MAX_VOLUME_STATE_BYTES) {
      throw corruptVolumeState(this.statePath, 'it is too large');
    }
    const content = await readFileIfPresent(this.statePath);
    return content && decodeVolumeState(content.toString('utf8'), this.statePath);
  }

  async writeState(state: VolumeState): Promise<void> {
    await writeFileAtomically(this.statePath, encodeVolumeState(state));
  }

  /** The size of the data file; undefined when there is none. */
  async dataBytes(): Promise<number | undefined> {
    return (await statIfPresent(this.dataPath))?.size;
  }

  /** Whether there is anything but leftovers. */
  async hasContent(): Promise<boolean> {
    return (await namesIn(this.path)).some((name) => !LEFTOVER.test(name));
  }

  /** What the data file occupies on the disk. */
  async allocatedBytes(): Promise<number> {
    return ((await statIfPresent(this.dataPath))?.blocks ?? 0) * STAT_BLOCK_BYTES;
  }

  /** Epochs of the sealed deltas, ascending. */
  async sealedEpochs(): Promise<number[]> {
    return deltaEpochs(await namesIn(this.path));
  }

  /** Epochs of a life's live deltas, ascending: more than one when a freeze was cut short. */
  async liveEpochs(session: string): Promise<number[]> {
    return deltaEpochs(await namesIn(join(this.livePath, session)));
  }

  /** Lives that have left live bits. */
  async liveSessions(): Promise<string[]> {
    return await namesIn(this.livePath);
  }

  async removeDeltas(epochs: Iterable<number>): Promise<void> {
    for (const epoch of epochs) await unlink(this.deltaPath(epoch));
  }

  async removePresent(): Promise<void> {
    await rm(this.presentPath, { force: true });
  }

  async removeLive(): Promise<void> {
    await rm(this.livePath, { recursive: true, force: true });
  }

  /** What a process that was killed left half done. */
  async removeLeftovers(): Promise<void> {
    for (const name of await namesIn(this.path)) {
      if (LEFTOVER.test(name)) await rm(join(this.path, name), { force: true });
    }
  }

  /**
   * From now on the volume is deleted, whatever happens. A rename, so that it works on a full disk
   * too; what remains is found by its name.
   */
  async markDeleted(): Promise<void> {
    try {
      await rename(this.path, this.path + DELETED_SUFFIX);
    } catch (error) {
      // Somebody removed it by hand: there is nothing left to mark.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    await fsyncDirectory(dirname(this.path));
  }

  /** After markDeleted. */
  async removeDeleted(): Promise<void> {
    await this.removeLive();
    await rm(this.path + DELETED_SUFFIX, { recursive: true, force: true });
  }
}

/** No folder, no names: tmpfs is empty after a boot. */
async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function deltaEpochs(names: readonly string[]): number[] {
  return names
    .flatMap((name) => /^delta-([0-9]+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

async function statIfPresent(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
