import { mkdir, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfPresent, writeFileAtomically } from '../base/atomic-file.ts';
import { errnoOf } from '../base/errors.ts';
import { decodeVolumeState, encodeVolumeState, type VolumeState } from '../format/volume-state.ts';

/**
 * Where a volume lies on this host.
 *
 * `<state>/volumes/<id>/`: `volume.json`, `data` (the disk, sparse), `present` (durable present bits, only while there is a
 * backing source), `delta-<epoch>` (sealed dirty bits). `<live>/<id>/` on tmpfs: `present`, `delta-<epoch>` (active bits).
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
  get livePresentPath(): string {
    return join(this.livePath, 'present');
  }
  sidePath(epoch: number): string {
    return join(this.path, `view-${epoch}`);
  }
  deltaPath(epoch: number): string {
    return join(this.path, `delta-${epoch}`);
  }
  liveDeltaPath(epoch: number): string {
    return join(this.livePath, `delta-${epoch}`);
  }

  async create(): Promise<void> {
    await mkdir(this.path, { mode: 0o700 });
    await this.ensureLive();
  }

  async ensureLive(): Promise<void> {
    await mkdir(this.livePath, { recursive: true, mode: 0o700 });
  }

  /** @throws CloudvolError `volume/corrupt-state` */
  async readState(): Promise<VolumeState | undefined> {
    const content = await readFileIfPresent(this.statePath);
    return content && decodeVolumeState(content.toString('utf8'), this.statePath);
  }

  async writeState(state: VolumeState): Promise<void> {
    await writeFileAtomically(this.statePath, encodeVolumeState(state));
  }

  /** Epochs of the sealed deltas, ascending. */
  async sealedEpochs(): Promise<number[]> {
    return await deltaEpochs(this.path);
  }

  /** Epochs of live deltas, ascending: more than one when a freeze was cut short. */
  async liveEpochs(): Promise<number[]> {
    return await deltaEpochs(this.livePath);
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

  /** The state goes last: until then the removal can be taken up again. */
  async remove(): Promise<void> {
    await this.removeLive();
    for (const name of await readdir(this.path)) {
      if (name !== 'volume.json') await rm(join(this.path, name), { recursive: true, force: true });
    }
    await rm(this.path, { recursive: true, force: true });
  }
}

async function deltaEpochs(path: string): Promise<number[]> {
  const names = await readdir(path).catch((error: unknown) => {
    // No folder, no deltas: tmpfs is empty after a boot.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  return names
    .flatMap((name) => /^delta-([0-9]+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}
