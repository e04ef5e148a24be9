import { rm } from 'node:fs/promises';
import { newVolumeId } from '../base/ids.ts';
import { initialVolumeState } from '../volume/initial-volume-state.ts';
import { LocalDisk, type LocalDiskDeps } from '../volume/local-disk.ts';
import { VolumeDirectory } from '../volume/volume-directory.ts';
import { VolumeStateFile } from '../volume/volume-state-file.ts';
import type { Image } from './image.ts';
import { ImageSource } from './image-source.ts';

export interface ScratchPlaces {
  /** Holds what was fetched, and what the replay of a journal writes. */
  readonly stateDir: string;
  /** On tmpfs. */
  readonly liveDir: string;
}

export interface ScratchDisk {
  readonly id: string;
  readonly disk: LocalDisk;
  readonly source: ImageSource;
  /** Nothing of it is left afterwards. Nobody may use it any more. */
  discard(): Promise<void>;
}

/**
 * A disk on this host whose blocks are all absent and come from the image when they are read. It
 * can be written to, which changes nothing but itself. It is no volume: no list shows it, and the
 * next agent removes what is left of it.
 */
export async function openScratchDisk(
  image: Image,
  { stateDir, liveDir }: ScratchPlaces,
  deps: Omit<LocalDiskDeps, 'openBacking'>,
  budgetBytes: number,
): Promise<ScratchDisk> {
  const id = newVolumeId();
  const { sizeBytes, blockBytes } = image.geometry;
  const backing = { credentialId: '', cloudsnapId: image.cloudsnapId, hydrate: false };
  const wanted = { name: id, sizeBytes, blockBytes, fileSystem: 'none', labels: {} } as const;
  const state = { ...initialVolumeState(wanted, backing, deps.clock.nowMs()), id };
  const directory = new VolumeDirectory(stateDir, liveDir, id);
  const source = new ImageSource(image, { budgetBytes, populate: (run) => disk.populate(run) });
  const disk = new LocalDisk(
    new VolumeStateFile(directory, state),
    directory,
    { ...deps, openBacking: () => source },
    source,
  );
  const discard = async () => {
    await disk.discard();
    await rm(directory.path, { recursive: true, force: true });
    await directory.removeLive();
  };
  try {
    await directory.create();
    await disk.open();
    return { id, disk, source, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}
