import type { ClusterId } from '../base/ids.ts';
import { HASH_BYTES } from '../format/content-hash.ts';
import { frameBytes, type FrameEncoding } from '../format/frame.ts';
import { IndexPage, PAGE_BLOCKS, type FramePlace } from '../format/index-page.ts';
import { IndexRoot } from '../format/index-root.ts';
import { encodeExtent, type EncodedPiece } from './block-codec.ts';
import type { CloudsnapPlan, CloudsnapStatistics } from './cloudsnap-api.ts';
import type { IndexReader } from './index-reader.ts';
import type { EarlierPacks } from './earlier-packs.ts';
import { IndexWriter } from './index-writer.ts';
import { KnownBlocks } from './known-blocks.ts';
import { PackWriter } from './pack-writer.ts';
import type { RepairPlan } from './repair/repair-plan.ts';
import { RepairWriting } from './repair/repair-writing.ts';
import type { RootCipher } from './root-cipher.ts';
import type { UploadJournal } from './upload-journal.ts';
import type { Uploads } from './uploads.ts';

export interface BlockWriterOptions {
  readonly clusterId: ClusterId;
  readonly snapName: string;
  readonly volume: CloudsnapPlan['volume'];
  /** Index of the parent; undefined for a full. */
  readonly parent: IndexReader | undefined;
  readonly uploads: Uploads;
  readonly cipher: RootCipher;
  readonly journal: UploadJournal | undefined;
  /** How often the upload was cut off before. */
  readonly attempt: number;
  /** What it had stored by then. */
  readonly earlier: EarlierPacks | undefined;
  readonly packTargetBytes?: number | undefined;
  /** Of the parent. */
  readonly repair?: RepairPlan | undefined;
  readonly signal: AbortSignal;
}

/** The page that is being changed. Blocks ascend, so there is never more than one. */
interface OpenPage {
  readonly number: number;
  readonly page: IndexPage;
  changed: boolean;
}

type BlockCounts = Pick<
  CloudsnapStatistics,
  'zeroBlocks' | 'unchangedBlocks' | 'uploadedBlocks'
> & {
  /** Of uploadedBlocks: those that had arrived before. */
  readonly reusedBlocks: number;
};

/**
 * Turns blocks into packs and index pages: the parent's index, changed where a block has changed.
 */
export class BlockWriter {
  /** Complete after close(). */
  readonly root: IndexRoot;
  readonly #options: BlockWriterOptions;
  readonly #packs: PackWriter;
  readonly #index: IndexWriter;
  readonly #repair: RepairWriting;
  readonly #counts = { zeroBlocks: 0, unchangedBlocks: 0, uploadedBlocks: 0, reusedBlocks: 0 };
  #open: OpenPage | undefined;

  constructor(options: BlockWriterOptions) {
    this.#options = options;
    const { clusterId, snapName, volume, parent, uploads, cipher, attempt } = options;
    const { blockBytes, blockCount } = volume.geometry;
    this.root = parent?.root.grownTo(blockCount) ?? new IndexRoot(blockBytes, blockCount);
    const common = { clusterId, snapName, uploads, cipher };
    const { journal, packTargetBytes } = options;
    const packs = { journal, packTargetBytes, volumeId: volume.id, blockBytes };
    this.#packs = new PackWriter({ ...common, ...packs });
    this.#index = new IndexWriter({ ...common, root: this.root, attempt });
    this.#repair = new RepairWriting(options.repair, clusterId);
  }

  get counts(): BlockCounts & { readonly packs: number } {
    const reused = this.#options.earlier?.used.packs ?? 0;
    return { ...this.#counts, packs: this.#packs.packs + reused };
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
    this.#repair.wrote(firstBlock, end - firstBlock);
  }

  /** Sends off the last page, pack and index object; resolves when their uploads have begun. */
  async close(): Promise<void> {
    this.#repair.checkComplete();
    await this.#closePage();
    await this.#packs.close();
    await this.#index.close();
  }

  async #writeInPage(firstBlock: number, data: Uint8Array): Promise<void> {
    const { cipher, volume } = this.#options;
    const { blockBytes } = volume.geometry;
    const open = await this.#openPage(Math.floor(firstBlock / PAGE_BLOCKS));
    const count = data.length / blockBytes;
    const parentHashes = this.#repair.hashes(open.page, firstBlock % PAGE_BLOCKS, count);
    const earlier = await this.#options.earlier?.blocks(firstBlock, count);
    const known = new KnownBlocks(firstBlock, parentHashes, earlier);
    const extent = { firstBlock, data, blockBytes, parentHashes: known.hashes, cipher };
    for (const piece of await encodeExtent(extent)) await this.#record(open, known, piece);
  }

  async #openPage(number: number): Promise<OpenPage> {
    if (this.#open?.number === number) return this.#open;
    await this.#closePage();
    const { parent, signal } = this.#options;
    const changed = this.#repair.isLost(number);
    const inherited = changed ? undefined : await parent?.page(number, signal);
    this.#open = { number, page: inherited?.clone() ?? new IndexPage(), changed };
    return this.#open;
  }

  async #closePage(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open?.changed) await this.#index.add(open.number, open.page);
  }

  async #record(open: OpenPage, known: KnownBlocks, piece: EncodedPiece): Promise<void> {
    for (let position = 0; position < piece.blockCount; position++) {
      const slot = (piece.firstBlock + position) % PAGE_BLOCKS;
      const hash = hashOf(piece, position);
      const block = piece.firstBlock + position;
      const settled = known.settle(block, piece.outcomes[position] ?? 0, hash);
      if (settled === 'zero') {
        this.#counts.zeroBlocks++;
        open.changed ||= open.page.has(slot);
        open.page.clear(slot);
      } else if (settled === 'unchanged') {
        this.#counts.unchangedBlocks++;
      } else if (settled !== 'new') {
        this.#note(open, slot, settled, hash);
        this.#counts.reusedBlocks++;
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
    const encoding = piece.outcomes[position] as FrameEncoding;
    const block = piece.firstBlock + position;
    const hash = hashOf(piece, position);
    const place = this.#packs.append(frame, { block, payloadBytes, encoding, hash });
    this.#note(open, slot, { ...place, payloadBytes, encoding }, hash);
  }

  #note(open: OpenPage, slot: number, place: FramePlace, hash: Uint8Array): void {
    open.page.set(slot, place);
    open.page.setHashes(slot, hash);
    open.changed = true;
    this.#counts.uploadedBlocks++;
  }
}

function hashOf({ hashes }: EncodedPiece, position: number): Uint8Array {
  return hashes.subarray(position * HASH_BYTES, (position + 1) * HASH_BYTES);
}
