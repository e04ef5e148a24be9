import assert from 'node:assert/strict';
import { HASH_BYTES } from './content-hash.ts';
import type { FrameEncoding } from './frame.ts';

/**
 * Blocks that one page maps: about 9 KiB of page for 16 MiB of volume at the default block size.
 */
export const PAGE_BLOCKS = 256;

/** Which pack, of which cloudsnap: the object `<snap name>/pack-<pack id>`. */
export interface PackRef {
  readonly snapName: string;
  readonly packId: string;
}

/** Where a block is stored, and how. */
export interface FramePlace {
  readonly pack: PackRef;
  /** Of the frame's header in the pack. */
  readonly offsetBytes: number;
  readonly payloadBytes: number;
  readonly encoding: FrameEncoding;
}

/** Where a block is stored and what it must be. */
export interface FrameRef extends FramePlace {
  readonly hash: Uint8Array;
}

const NO_PACK = 0;
/** What the columns of a page occupy; the packs are few. */
const PAGE_MEMORY_BYTES = PAGE_BLOCKS * (2 + 4 + 4 + 1 + HASH_BYTES) + 1024;

/**
 * Where the blocks of one span lie. A slot is a block's place in its span, 0 … PAGE_BLOCKS - 1; a
 * slot without a frame is a block of zeros, or one beyond the end of the volume. Columns of typed
 * arrays, since a large volume has many pages.
 */
export class IndexPage {
  readonly #packs: PackRef[] = [];
  /** Position in #packs plus one. */
  readonly #packOf = new Uint16Array(PAGE_BLOCKS);
  readonly #offsetBytes = new Uint32Array(PAGE_BLOCKS);
  readonly #payloadBytes = new Uint32Array(PAGE_BLOCKS);
  readonly #encodings = new Uint8Array(PAGE_BLOCKS);
  readonly #hashes = new Uint8Array(PAGE_BLOCKS * HASH_BYTES);
  #frames = 0;

  /** Memory that it holds, for caches. */
  get memoryBytes(): number {
    return PAGE_MEMORY_BYTES;
  }

  get isEmpty(): boolean {
    return this.#frames === 0;
  }

  /** Whether the slot's block has a frame, which a block of zeros has not. */
  has(slot: number): boolean {
    assert(slot >= 0 && slot < PAGE_BLOCKS);
    return this.#packOf[slot] !== NO_PACK;
  }

  place(slot: number): FramePlace | undefined {
    const pack = this.#packs[(this.#packOf[slot] ?? NO_PACK) - 1];
    if (!pack) return undefined;
    return {
      pack,
      offsetBytes: this.#offsetBytes[slot] ?? 0,
      payloadBytes: this.#payloadBytes[slot] ?? 0,
      encoding: this.#encodings[slot] as FrameEncoding,
    };
  }

  get(slot: number): FrameRef | undefined {
    const place = this.place(slot);
    return place && { ...place, hash: this.hashes(slot, 1) };
  }

  /**
   * Equal packs should be one object, since they are told apart by identity. The slot's hash is set
   * apart.
   */
  set(slot: number, place: FramePlace): void {
    if (!this.has(slot)) this.#frames++;
    this.#packOf[slot] = this.#numberOf(place.pack);
    this.#offsetBytes[slot] = place.offsetBytes;
    this.#payloadBytes[slot] = place.payloadBytes;
    this.#encodings[slot] = place.encoding;
  }

  /** Makes the slot's block zero. */
  clear(slot: number): void {
    if (!this.has(slot)) return;
    this.#frames--;
    this.#packOf[slot] = NO_PACK;
    // An old hash would make a block that comes back look unchanged.
    this.#hashes.fill(0, slot * HASH_BYTES, (slot + 1) * HASH_BYTES);
  }

  /** A view of the content hashes of some slots, 32 bytes each; zeros where there is no frame. */
  hashes(firstSlot: number, count: number): Uint8Array<ArrayBuffer> {
    return this.#hashes.subarray(firstSlot * HASH_BYTES, (firstSlot + count) * HASH_BYTES);
  }

  /** The content hashes of slots that have frames, from `firstSlot` on. */
  setHashes(firstSlot: number, hashes: Uint8Array): void {
    this.#hashes.set(hashes, firstSlot * HASH_BYTES);
  }

  clone(): IndexPage {
    const copy = new IndexPage();
    copy.#packs.push(...this.#packs);
    copy.#packOf.set(this.#packOf);
    copy.#offsetBytes.set(this.#offsetBytes);
    copy.#payloadBytes.set(this.#payloadBytes);
    copy.#encodings.set(this.#encodings);
    copy.#hashes.set(this.#hashes);
    copy.#frames = this.#frames;
    return copy;
  }

  #numberOf(pack: PackRef): number {
    const known = this.#packs.lastIndexOf(pack);
    if (known >= 0) return known + 1;
    return this.#packs.push(pack);
  }
}
