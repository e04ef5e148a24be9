import { HASH_BYTES } from '../format/content-hash.ts';
import type { FramePlace } from '../format/index-page.ts';
import { OUTCOME_UNCHANGED, OUTCOME_ZERO } from '../native.ts';
import type { EarlierBlocks } from './earlier-packs.ts';

/** What is to become of a block: one of these, or it is reused from where it lies already. */
export type Settled = 'zero' | 'unchanged' | 'new' | FramePlace;

/**
 * What is known of some blocks before they are encoded: their hashes in the parent, and in packs
 * that earlier attempts of the upload have stored. The encoder compares each block with one hash;
 * a block that it did encode may still turn out to be known.
 */
export class KnownBlocks {
  /** What the encoder compares with: the last hash that was uploaded, else that of the parent. */
  readonly hashes: Uint8Array;
  readonly #firstBlock: number;
  readonly #parentHashes: Uint8Array;
  readonly #earlier: EarlierBlocks | undefined;

  /** @param parentHashes 32 bytes per block, zeros where the parent has no frame. */
  constructor(firstBlock: number, parentHashes: Uint8Array, earlier?: EarlierBlocks) {
    this.#firstBlock = firstBlock;
    this.#earlier = earlier;
    // The page that they are of is changed while they are needed.
    this.#parentHashes = parentHashes.slice();
    this.hashes = this.#parentHashes;
    if (!earlier) return;
    this.hashes = parentHashes.slice();
    for (let at = 0; at < parentHashes.length / HASH_BYTES; at++) {
      const hash = earlier.lastHash(firstBlock + at);
      if (hash) this.hashes.set(hash, at * HASH_BYTES);
    }
  }

  /**
   * @param outcome the encoder's.
   * @param hash what the encoder found.
   */
  settle(block: number, outcome: number, hash: Uint8Array): Settled {
    if (outcome === OUTCOME_ZERO) return 'zero';
    if (!this.#earlier) return outcome === OUTCOME_UNCHANGED ? 'unchanged' : 'new';
    const parentHash = hashAt(this.#parentHashes, block - this.#firstBlock);
    if (Buffer.compare(hash, parentHash) === 0) return 'unchanged';
    return this.#earlier.find(block, hash) ?? 'new';
  }
}

function hashAt(hashes: Uint8Array, position: number): Uint8Array {
  return hashes.subarray(position * HASH_BYTES, (position + 1) * HASH_BYTES);
}
