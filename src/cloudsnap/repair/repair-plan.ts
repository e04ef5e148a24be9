import type { Extent } from '../../base/extent.ts';

/** What an incremental writes again so that it does without what is damaged before it. */
export interface RepairPlan {
  /** All blocks that lie in damaged packs or behind pages that cannot be read; ascending. */
  readonly blocks: readonly Extent[];
  /** Keys of the packs that no block is taken from, though it may not have changed. */
  readonly packs: ReadonlySet<string>;
  /** Numbers of the index pages that are written anew. */
  readonly pages: ReadonlySet<number>;
}
