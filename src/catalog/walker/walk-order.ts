import type { FileEntry } from '../file-entry.ts';
import type { WalkErrorReason } from './walk-error.ts';
import type { WalkOptions } from './walk-tree.ts';

/** What a walking process is told. */
export interface WalkOrder extends WalkOptions {
  /** Most entries. */
  readonly max: number;
}

export interface WalkEnd {
  readonly entries: number;
  readonly isTruncated: boolean;
}

/** What it says, line by line; one of the last two ends it. */
export type WalkLine =
  | { readonly entry: FileEntry }
  | { readonly end: WalkEnd }
  | { readonly error: { readonly reason: WalkErrorReason | 'failed'; readonly message: string } };
