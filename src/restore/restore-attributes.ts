import { CloudvolError } from '../base/errors.ts';
import { geometryOf } from '../base/geometry.ts';
import type { Manifest } from '../cloudsnap/cloudsnap-api.ts';
import type { FileSystem, VolumeAttributes } from '../volume/volume-api.ts';

const FILE_SYSTEMS: readonly FileSystem[] = ['ext4', 'xfs', 'none'];

/**
 * What a restored volume inherits: file system, size, block size and labels; never the name.
 * @param name the new volume's; without one it is the first free `Restore-<source volume id>-<n>`.
 * @throws CloudvolError `restore/unknown-file-system`, `volume/bad-size`
 */
export function restoredAttributes(
  { cloudsnapId, volume }: Manifest,
  name: string | undefined,
  isTaken: (name: string) => boolean,
): VolumeAttributes {
  const fileSystem = FILE_SYSTEMS.find((known) => known === volume.fileSystem);
  if (!fileSystem) {
    throw new CloudvolError(
      'restore/unknown-file-system',
      `${cloudsnapId} holds a file system that this version does not know: ${volume.fileSystem}`,
      {
        hint: 'restore it with the version of cloudvol that made it',
      },
    );
  }
  return {
    name: name ?? defaultName(volume.id, isTaken),
    geometry: geometryOf(volume.sizeBytes, volume.blockBytes),
    fileSystem,
    labels: volume.labels,
  };
}

function defaultName(volumeId: string, isTaken: (name: string) => boolean): string {
  for (let n = 1; ; n++) {
    const name = `Restore-${volumeId}-${n}`;
    if (!isTaken(name)) return name;
  }
}
