import type { Extent } from '../../base/extent.ts';

export type DamagedKind = 'manifest' | 'root' | 'index' | 'pack';

/** One damaged object, and what it hurts. */
export interface DamageFinding {
  readonly kind: DamagedKind;
  /** Key of the object. */
  readonly object: string;
  /** The cloudsnap that wrote it. */
  readonly owner: string;
  /** What is wrong with it, as a clause. */
  readonly finding: string;
  /** Index pages that cannot be read; only of an index object. */
  readonly pages: readonly number[];
  /** Blocks of the verified cloudsnap whose bytes cannot be had; the first MAX_LISTED of them. */
  readonly blocks: readonly Extent[];
  /** All such blocks, listed or not. */
  readonly blockCount: number;
  /** Every visible cloudsnap that it hurts, by its own index; ascending. */
  readonly cloudsnaps: readonly string[];
}

export interface VerifyReport {
  readonly cloudsnapId: string;
  /** Of the volume whose cloudsnap it is. */
  readonly volumeId: string;
  /** How many of a hundred groups of neighbouring blocks were read; the index is read whole. */
  readonly percent: number;
  /** Chooses the groups: the same seed reads the same ones again. */
  readonly seed: number;
  readonly packs: number;
  readonly pages: number;
  /** Blocks that have data. */
  readonly blocks: number;
  readonly blocksRead: number;
  /** Of packs, as stored. */
  readonly bytesRead: number;
  /** Empty: everything that was looked at is right. */
  readonly damage: readonly DamageFinding[];
}

export interface VerifyOptions {
  /** 1 … 100, whole. */
  readonly percent: number;
  /** 32 bits. */
  readonly seed: number;
  readonly onProgress: (bytes: { readonly bytesTotal: number; readonly bytesDone: number }) => void;
}
