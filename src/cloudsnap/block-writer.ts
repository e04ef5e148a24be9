import type { ClusterId } from '../base/ids.ts';
import { HASH_BYTES } from '../format/content-hash.ts';
import { frameBytes, type FrameEncoding } from '../format/frame.ts';
import { IndexPage, PAGE_BLOCKS } from '../format/index-page.ts';
import { IndexRoot } from '../format/index-root.ts';
import { OUTCOME_UNCHANGED, OUTCOME_ZERO } from '../native.ts';
import { encodeExtent, type EncodedPiece } from './block-codec.ts';
import type { CloudsnapPlan, CloudsnapStatistics } from './cloudsnap-api.ts';
import type { IndexReader } from './index-reader.ts';
import { IndexWriter } from './index-writer.ts';
import { PackWriter } from './pack-writer.ts';
import type { RootCipher } from './root-cipher.ts';
import type { Uploads } from './uploads.ts';

export interface BlockWriterOptions {
  readonly clusterId: ClusterId;
  readonly snapName: string;
  readonly volume: CloudsnapPlan['volume'];
  /** Index of the parent; undefined for a full. */
  readonly parent: IndexReader | undefined;
  readonly uploads: Uploads;
  readonly cipher: RootCipher;
  readonly signal: AbortSignal;
}

/** The page that is being changed. Blocks ascend, so there is never more than one. */
interface OpenPage {
  readonly number: number;
  readonly page: IndexPage;
  changed: boolean;
}

type BlockCounts = Pick<CloudsnapStatistics, 'zeroBlocks' | 'unchangedBlocks' | 'uploadedBlocks'>;

/**
 * Turns blocks into packs and index pages: the parent's index, changed where a block has changed.
 */
export class BlockWriter {
  /** Complete after close(). */
  readonly root: IndexRoot;
  readonly #options: BlockWriterOptions;
  readonly #packs: PackWriter;
  readonly #index: IndexWriter;
  readonly #counts = { zeroBlocks: 0, unchangedBlocks: 0, uploadedBlocks: 0 };
  #open: OpenPage | undefined;

  constructor(options: BlockWriterOptions) {
    this.#options = options;
    const { clusterId, snapName, volume, parent } = options;
    const { uploads, cipher } = options;
    const { blockBytes, blockCount } = volume.geometry;
    this.root = parent?.root.grownTo(blockCount) ?? new IndexRoot(blockBytes, blockCount);
    const common = { clusterId, snapName, uploads, cipher };
    this.#packs = new PackWriter({ ...common, volumeId: volume.id, blockBytes });
    this.#index = new IndexWriter({ ...common, root: this.root });
  }

  get counts(): BlockCounts & { readonly packs: number } {
    return { ...this.#counts, packs: this.#packs.packs };
  }

  /** Whole blocks, ascending from call to call; `data` may be reused when it resolves. */
  async write(firstBlock: number, data: Uint8Array): Promise<void> {
    const { blockBytes } = this.#options.volume.geometry;
    const end = firstBlock + data.length / blockBytes;
    for (let block = firstBlock; block < end;) {
      const next = Math.min(end, block - (block % PAGE_BLOCKS) + PAGE_BLOCKS);
      const start = (block - firstBlock) * blockBytes;
      const stop = (next - firstBlock) * blockBytes;
      await this.#writeInPage(block, data.subarray(start, stop));
      block = next;
    }
  }

  /** Sends off the last page, pack and index object; resolves when their uploads have begun. */
  async close(): Promise<void> {
    await this.#closePage();
    await this.#packs.close();
    await this.#index.close();
  }

  async #writeInPage(firstBlock: number, data: Uint8Array): Promise<void> {
    const { cipher, volume } = this.#options;
    const { blockBytes } = volume.geometry;
    const open = await this.#openPage(Math.floor(firstBlock / PAGE_BLOCKS));
    const count = data.length / blockBytes;
    const parentHashes = open.page.hashes(firstBlock % PAGE_BLOCKS, count);
    const pieces = await encodeExtent({ firstBlock, data, blockBytes, parentHashes, cipher });
    for (const piece of pieces) await this.#record(open, piece);
  }

  async #openPage(number: number): Promise<OpenPage> {
    if (this.#open?.number === number) return this.#open;
    await this.#closePage();
    const { parent, signal } = this.#options;
    const inherited = await parent?.page(number, signal);
    this.#open = { number, page: inherited?.clone() ?? new IndexPage(), changed: false };
    return this.#open;
  }

  async #closePage(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open?.changed) await this.#index.add(open.number, open.page);
  }

  async #record(open: OpenPage, piece: EncodedPiece): Promise<void> {
    for (let position = 0; position < piece.blockCount; position++) {
      const slot = (piece.firstBlock + position) % PAGE_BLOCKS;
      const outcome = piece.outcomes[position];
      if (outcome === OUTCOME_ZERO) {
        this.#counts.zeroBlocks++;
        open.changed ||= open.page.has(slot);
        open.page.clear(slot);
      } else if (outcome === OUTCOME_UNCHANGED) {
        this.#counts.unchangedBlocks++;
      } else {
        if (this.#packs.isFull) await this.#packs.close();
        this.#place(open, slot, piece, position);
      }
    }
  }

  #place(open: OpenPage, slot: number, piece: EncodedPiece, position: number): void {
    const start = piece.offsets[position] ?? 0;
    const payloadBytes = piece.payloadBytes[position] ?? 0;
    const frame = piece.frames.subarray(start, start + frameBytes(payloadBytes));
    const place = this.#packs.append(frame);
    const encoding = piece.outcomes[position] as FrameEncoding;
    open.page.set(slot, { ...place, payloadBytes, encoding });
    const hash = piece.hashes.subarray(position * HASH_BYTES, (position + 1) * HASH_BYTES);
    open.page.setHashes(slot, hash);
    open.changed = true;
    this.#counts.uploadedBlocks++;
  }
}
