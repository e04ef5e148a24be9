import assert from 'node:assert/strict';
import { HASH_BYTES } from '../format/content-hash.ts';
import type { FrameEncoding } from '../format/frame.ts';
import type { FramePlace, PackRef } from '../format/index-page.ts';
import type { FrameTable } from '../format/pack-record.ts';
import type { PackPlace } from './scan-journal.ts';
import type { UploadJournal } from './upload-journal.ts';

interface OpenPack {
  readonly ref: PackRef;
  readonly place: PackPlace;
  readonly frames: FrameTable;
}

/**
 * The packs that earlier attempts of an upload have brought to the store, found by block. Blocks
 * are asked for in ascending order, so that only the packs around the present ones are in memory:
 * one or two per attempt.
 */
export class EarlierPacks {
  readonly #journal: UploadJournal;
  readonly #snapName: string;
  /** By first block. */
  readonly #waiting: PackPlace[];
  readonly #used = new Set<PackPlace>();
  #open: OpenPack[] = [];
  #from = 0;

  constructor(journal: UploadJournal, snapName: string) {
    this.#journal = journal;
    this.#snapName = snapName;
    this.#waiting = journal.packs.toSorted((a, b) => b.firstBlock - a.firstBlock);
  }

  /** Those that a block was found in. */
  get used(): { readonly packs: number; readonly bytes: number } {
    const bytes = [...this.#used].reduce((sum, { packBytes }) => sum + packBytes, 0);
    return { packs: this.#used.size, bytes };
  }

  get usedPackIds(): readonly string[] {
    return [...this.#used].map(({ packId }) => packId);
  }

  /** What they hold of some blocks, which lie behind those asked for before. */
  async blocks(firstBlock: number, blockCount: number): Promise<EarlierBlocks> {
    assert(firstBlock >= this.#from, 'blocks are asked for in ascending order');
    this.#from = firstBlock;
    const open = this.#open.filter(({ place }) => place.lastBlock >= firstBlock);
    for (
      let next = this.#waiting.at(-1);
      next && next.firstBlock < firstBlock + blockCount;
      next = this.#waiting.at(-1)
    ) {
      this.#waiting.pop();
      if (next.lastBlock < firstBlock) continue;
      const ref = { snapName: this.#snapName, packId: next.packId };
      open.push({ ref, place: next, frames: await this.#journal.frames(next) });
    }
    // The newest first: most blocks are as the last attempt saw them.
    open.sort((a, b) => b.place.position - a.place.position);
    this.#open = open;
    return new EarlierBlocks(open, (place) => this.#used.add(place));
  }
}

/** Blocks of one extent in packs that have arrived. */
export class EarlierBlocks {
  readonly #packs: readonly OpenPack[];
  readonly #onUsed: (place: PackPlace) => void;

  constructor(packs: readonly OpenPack[], onUsed: (place: PackPlace) => void) {
    this.#packs = packs;
    this.#onUsed = onUsed;
  }

  /** The content hash that the block had last; undefined when it is in none of the packs. */
  lastHash(block: number): Uint8Array | undefined {
    for (const { frames } of this.#packs) {
      const at = positionOf(frames.blocks, block);
      if (at >= 0) return hashAt(frames, at);
    }
    return undefined;
  }

  /** Where the block lies with exactly this content. Whoever asks makes use of it. */
  find(block: number, hash: Uint8Array): FramePlace | undefined {
    for (const { ref, place, frames } of this.#packs) {
      const at = positionOf(frames.blocks, block);
      if (at < 0 || Buffer.compare(hashAt(frames, at), hash) !== 0) continue;
      this.#onUsed(place);
      return {
        pack: ref,
        offsetBytes: frames.offsets[at] ?? 0,
        payloadBytes: frames.payloadBytes[at] ?? 0,
        encoding: frames.encodings[at] as FrameEncoding,
      };
    }
    return undefined;
  }
}

function hashAt({ hashes }: FrameTable, position: number): Uint8Array {
  return hashes.subarray(position * HASH_BYTES, (position + 1) * HASH_BYTES);
}

/** By halving; -1 when it is not there. */
function positionOf(ascending: Uint32Array, wanted: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return ascending[low] === wanted ? low : -1;
}
