import assert from 'node:assert/strict';
import { endBlock } from '../../base/extent.ts';
import type { ClusterId } from '../../base/ids.ts';
import { HASH_BYTES } from '../../format/content-hash.ts';
import type { IndexPage } from '../../format/index-page.ts';
import { packKey } from '../object-keys.ts';
import type { RepairPlan } from './repair-plan.ts';

const NO_REPAIR: RepairPlan = { blocks: [], packs: new Set(), pages: new Set() };

/** Holds the writer of a repairing cloudsnap to its plan. */
export class RepairWriting {
  readonly #plan: RepairPlan;
  readonly #clusterId: ClusterId;
  /** Position in the plan's extents: blocks come ascending, here and there. */
  #next = 0;
  #left: number;

  constructor(plan: RepairPlan | undefined, clusterId: ClusterId) {
    this.#plan = plan ?? NO_REPAIR;
    this.#clusterId = clusterId;
    this.#left = this.#plan.blocks.reduce((sum, { blockCount }) => sum + blockCount, 0);
  }

  /** Whether the parent's page cannot be read: it is begun anew. */
  isLost(pageNumber: number): boolean {
    return this.#plan.pages.has(pageNumber);
  }

  /**
   * The parent's hashes, but none of a block in a damaged pack: a block with no hash to compare
   * with is uploaded, whether it changed or not.
   */
  hashes(page: IndexPage, firstSlot: number, count: number): Uint8Array {
    const hashes = page.hashes(firstSlot, count);
    if (this.#plan.packs.size === 0) return hashes;
    const trusted = hashes.slice();
    for (let position = 0; position < count; position++) {
      const place = page.place(firstSlot + position);
      if (!place || !this.#plan.packs.has(packKey(this.#clusterId, place.pack))) continue;
      trusted.fill(0, position * HASH_BYTES, (position + 1) * HASH_BYTES);
    }
    return trusted;
  }

  /** Blocks are written; ascending from call to call. */
  wrote(firstBlock: number, blockCount: number): void {
    const { blocks } = this.#plan;
    const end = firstBlock + blockCount;
    for (let extent = blocks[this.#next]; extent; extent = blocks[this.#next]) {
      const from = Math.max(firstBlock, extent.firstBlock);
      this.#left -= Math.max(0, Math.min(end, endBlock(extent)) - from);
      if (endBlock(extent) > end) return;
      this.#next++;
    }
  }

  /** Of a damaged page only what was written is left: a block that was not would be lost. */
  checkComplete(): void {
    assert(this.#left === 0, 'every block that is to be repaired is written');
  }
}
