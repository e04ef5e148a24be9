import type { Extent } from '../base/extent.ts';
import type { Geometry } from '../base/geometry.ts';
import type { BackingSource } from '../volume/backing-source.ts';

/** A cloudsnap as a disk: all that is needed to find the files in it. */
export interface Image {
  readonly cloudsnapId: string;
  readonly volumeName: string;
  /** As its manifest says it: `ext4`, `xfs`, `none`. */
  readonly fileSystem: string;
  readonly createdMs: number;
  readonly geometry: Geometry;
  /** Whoever opens an image closes it. */
  readonly source: BackingSource;
  /** Extents that may hold data, ascending; asks for the index, not for the data. */
  dataExtents(signal: AbortSignal): AsyncIterable<Extent>;
}
