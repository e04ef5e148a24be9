import assert from 'node:assert/strict';
import { endBlock, extentsOf, splitExtent, type Extent } from '../base/extent.ts';
import { geometryOf, type Geometry } from '../base/geometry.ts';
import { Limiter } from '../base/limiter.ts';
import { mapLimited } from '../base/map-limited.ts';
import { PAGE_BLOCKS, type FrameRef, type IndexPage } from '../format/index-page.ts';
import type { Manifest } from '../format/manifest.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { decodeGroup } from './block-codec.ts';
import type { CloudsnapReader, ReadRun } from './cloudsnap-api.ts';
import { readIntact } from './damage.ts';
import { groupFrames, type FrameGroup, type WantedFrame } from './frame-groups.ts';
import type { IndexReader, IndexReaderOptions } from './index-reader.ts';
import { packKey } from './object-keys.ts';
import { packPlace, type RootCipher } from './root-cipher.ts';

/**
 * Requests of one reader under way at once: enough to fill a link of some milliseconds' latency.
 */
const GETS_AT_ONCE = 8;

/** Reads one cloudsnap, wherever in its chain the blocks lie. */
export class StoredCloudsnap implements CloudsnapReader {
  readonly manifest: Manifest;
  readonly geometry: Geometry;
  readonly #store: ObjectStore;
  readonly #cipher: RootCipher;
  /** Where its blocks lie. */
  readonly index: IndexReader;
  readonly #gets = new Limiter(GETS_AT_ONCE);
  readonly #closed = new AbortController();

  constructor({ store, manifest, cipher }: IndexReaderOptions, index: IndexReader) {
    this.manifest = manifest;
    this.geometry = geometryOf(manifest.volume.sizeBytes, manifest.volume.blockBytes);
    this.#store = store;
    this.#cipher = cipher;
    this.index = index;
  }

  async readBlocks(extent: Extent, signal?: AbortSignal): Promise<readonly ReadRun[]> {
    assert(extent.firstBlock >= 0 && extent.blockCount > 0, 'an extent has blocks');
    assert(endBlock(extent) <= this.geometry.blockCount, 'an extent lies within the volume');
    const until = this.#until(signal);
    const wanted = await this.#locate(extent, until);
    const data = new Uint8Array(wanted.length * this.geometry.blockBytes);
    await mapLimited(
      groupFrames(wanted),
      (group) => this.#gets.run(() => this.fetchGroup(group, data, until), until),
      { limit: GETS_AT_ONCE, signal: until },
    );
    return [...runsOf(extent, wanted, data, this.geometry.blockBytes)];
  }

  async *dataExtents(signal?: AbortSignal): AsyncGenerator<Extent> {
    let last: Extent | undefined;
    for (let pageNumber = 0; pageNumber < this.index.root.pageCount; pageNumber++) {
      if (!this.index.root.get(pageNumber)) continue;
      const page = await this.index.page(pageNumber, this.#until(signal));
      if (!page) continue;
      for (const extent of extentsOf(blocksOf(page, pageNumber))) {
        if (last && endBlock(last) === extent.firstBlock) {
          last = { ...last, blockCount: last.blockCount + extent.blockCount };
          continue;
        }
        if (last) yield last;
        last = extent;
      }
    }
    if (last) yield last;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.index.clear();
  }

  /** Where the blocks of the extent lie that are not zero, ascending. */
  async #locate(extent: Extent, signal: AbortSignal): Promise<WantedFrame[]> {
    const wanted: WantedFrame[] = [];
    const lead = extent.firstBlock % PAGE_BLOCKS;
    const aligned = { firstBlock: extent.firstBlock - lead, blockCount: extent.blockCount + lead };
    for (const { firstBlock, blockCount } of splitExtent(aligned, PAGE_BLOCKS)) {
      const page = await this.index.page(firstBlock / PAGE_BLOCKS, signal);
      const from = Math.max(firstBlock, extent.firstBlock) - firstBlock;
      for (let slot = from; page && slot < blockCount; slot++) {
        const frame: FrameRef | undefined = page.get(slot);
        if (frame) wanted.push({ block: firstBlock + slot, slot: wanted.length, frame });
      }
    }
    return wanted;
  }

  /**
   * One range GET: verified blocks, each in its slot of `target`. Slots count blocks of the volume.
   * @throws CloudvolError `cloudsnap/corrupt`
   */
  async fetchGroup(group: FrameGroup, target: Uint8Array, signal: AbortSignal): Promise<void> {
    const { cloudsnapId, clusterId } = this.manifest;
    const key = packKey(clusterId, group.pack);
    const where = { cloudsnapId, object: key };
    const pack = packPlace(clusterId, this.manifest.volume, group.pack);
    const into = { target, blockBytes: this.geometry.blockBytes, cipher: this.#cipher, pack };
    const range = { offset: group.offsetBytes, length: group.lengthBytes };
    await readIntact(
      where,
      () => this.#store.get(key, { range, signal }),
      (bytes) => decodeGroup(group, bytes, where, into),
    );
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal;
  }
}

function* blocksOf(page: IndexPage, pageNumber: number): Generator<number> {
  for (let slot = 0; slot < PAGE_BLOCKS; slot++) {
    if (page.has(slot)) yield pageNumber * PAGE_BLOCKS + slot;
  }
}

/** @param data the blocks of `wanted`, one after the other. */
function* runsOf(
  extent: Extent,
  wanted: readonly WantedFrame[],
  data: Uint8Array,
  blockBytes: number,
): Generator<ReadRun> {
  let block = extent.firstBlock;
  let slot = 0;
  for (const run of extentsOf(wanted.map((each) => each.block))) {
    if (run.firstBlock > block) yield { firstBlock: block, blockCount: run.firstBlock - block };
    const nextSlot = slot + run.blockCount;
    yield { ...run, data: data.subarray(slot * blockBytes, nextSlot * blockBytes) };
    slot = nextSlot;
    block = endBlock(run);
  }
  if (block < endBlock(extent)) {
    yield { firstBlock: block, blockCount: endBlock(extent) - block };
  }
}
