import { LRUCache } from 'lru-cache';
import { hasCode } from '../base/errors.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { sha256Hex } from '../base/sha256.ts';
import { decodeIndexPage } from '../format/index-page-codec.ts';
import { PAGE_BLOCKS, type IndexPage } from '../format/index-page.ts';
import { decodeIndexRoot } from '../format/index-root-codec.ts';
import type { IndexRoot, PageRef } from '../format/index-root.ts';
import { requireSnapName } from '../format/cloudsnap-id.ts';
import type { Manifest } from '../format/manifest.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { damaged, readIntact } from './damage.ts';
import { indexKey, pagePlace, rootKey } from './object-keys.ts';
import type { RootCipher } from './root-cipher.ts';
import { withSignal } from './with-signal.ts';

/**
 * Decoded pages of one cloudsnap in memory: 1,400 of them, for 22 GiB of volume at the default
 * block size.
 */
export const PAGE_CACHE_BYTES = 16 << 20;
/**
 * Neighbouring pages are fetched together, by groups of this many: 300 KiB for half a GiB of
 * volume, so that who reads on finds them there, and who reads at random does not wait for much
 * that nobody wants.
 */
export const PAGES_PER_GROUP = 32;

/** Pages that lie side by side in one index object. */
interface Stretch {
  readonly firstPage: number;
  readonly pages: readonly PageRef[];
}

export interface IndexReaderOptions {
  readonly store: ObjectStore;
  readonly manifest: Manifest;
  /** Of the manifest's root. */
  readonly cipher: RootCipher;
}

/** Finds blocks: the root in memory, pages as they are asked for. */
export class IndexReader {
  readonly root: IndexRoot;
  readonly #store: ObjectStore;
  readonly #manifest: Manifest;
  readonly #cipher: RootCipher;
  readonly #pages: LRUCache<number, IndexPage>;
  readonly #flights = new SingleFlight<number, ReadonlyMap<number, IndexPage>>();

  private constructor({ store, manifest, cipher }: IndexReaderOptions, root: IndexRoot) {
    this.root = root;
    this.#store = store;
    this.#manifest = manifest;
    this.#cipher = cipher;
    this.#pages = new LRUCache({
      maxSize: PAGE_CACHE_BYTES,
      sizeCalculation: (page) => page.memoryBytes,
    });
  }

  /**
   * One GET: the root.
   * @throws CloudvolError `cloudsnap/corrupt`
   */
  static async open(options: IndexReaderOptions, signal?: AbortSignal): Promise<IndexReader> {
    const { store, manifest, cipher } = options;
    const { cloudsnapId, clusterId } = manifest;
    const snapName = snapNameOf(manifest);
    const key = rootKey(clusterId, snapName, manifest.root.object);
    const where = { cloudsnapId, object: key };
    const range = { offset: 0, length: manifest.root.lengthBytes };
    const root = await readIntact(
      where,
      () => store.get(key, { range, ...withSignal(signal) }),
      (bytes) => {
        if (sha256Hex(bytes) !== manifest.root.sha256) {
          throw damaged(where, 'it is not the root that the manifest names');
        }
        return decodeIndexRoot(bytes, snapName, cipher.sealing(key));
      },
    );
    const { blockBytes, sizeBytes } = manifest.volume;
    if (root.blockBytes !== blockBytes || root.blockCount * blockBytes !== sizeBytes) {
      throw damaged(where, 'its volume has another size than that of the manifest');
    }
    return new IndexReader(options, root);
  }

  /**
   * undefined: all blocks of the page are zero. The page is shared: clone it to change it.
   * @throws CloudvolError `cloudsnap/corrupt`
   */
  async page(pageNumber: number, signal?: AbortSignal): Promise<IndexPage | undefined> {
    const place = this.root.get(pageNumber);
    if (!place) return undefined;
    const known = this.#pages.get(pageNumber);
    if (known) return known;
    try {
      return await this.#loadOnce(this.#stretchAround(pageNumber), pageNumber, signal);
    } catch (error) {
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
      // The damage may be a neighbour's: this page by itself decides.
      const alone = await this.#load({ firstPage: pageNumber, pages: [place] }, signal);
      return alone.get(pageNumber);
    }
  }

  /** Callers that want pages of one stretch share one request. */
  async #loadOnce(
    stretch: Stretch,
    pageNumber: number,
    signal?: AbortSignal,
  ): Promise<IndexPage | undefined> {
    const load = (wanted: AbortSignal) => this.#load(stretch, wanted);
    const pages = await this.#flights.run(stretch.firstPage, load, signal);
    return pages.get(pageNumber);
  }

  /** Forgets the pages. */
  clear(): void {
    this.#pages.clear();
  }

  /** The part of the page's group that lies in one piece with it. */
  #stretchAround(pageNumber: number): Stretch {
    const groupStart = pageNumber - (pageNumber % PAGES_PER_GROUP);
    let firstPage = groupStart;
    let pages: PageRef[] = [];
    for (let number = groupStart; number < groupStart + PAGES_PER_GROUP; number++) {
      const page = this.root.get(number);
      if (page && follows(pages.at(-1), page)) {
        pages.push(page);
        continue;
      }
      if (number > pageNumber) break;
      pages = page ? [page] : [];
      firstPage = page ? number : number + 1;
    }
    return { firstPage, pages };
  }

  async #load(
    { firstPage, pages }: Stretch,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, IndexPage>> {
    const [first] = pages;
    const last = pages.at(-1);
    if (!first || !last) return new Map();
    const { cloudsnapId, clusterId } = this.#manifest;
    const key = indexKey(clusterId, first.object);
    const length = last.offsetBytes + last.lengthBytes - first.offsetBytes;
    const range = { offset: first.offsetBytes, length };
    const loaded = await readIntact(
      { cloudsnapId, object: key },
      () => this.#store.get(key, { range, ...withSignal(signal) }),
      (bytes) =>
        new Map(
          pages.map((page, position) => {
            const start = page.offsetBytes - first.offsetBytes;
            const sealed = bytes.subarray(start, start + page.lengthBytes);
            return [firstPage + position, this.#decode(firstPage + position, page, sealed)];
          }),
        ),
    );
    for (const [pageNumber, page] of loaded) this.#pages.set(pageNumber, page);
    return loaded;
  }

  #decode(pageNumber: number, { object }: PageRef, sealed: Uint8Array): IndexPage {
    const { blockBytes, blockCount } = this.root;
    const identity = { snapName: object.snapName, pageNumber };
    const { clusterId } = this.#manifest;
    const place = pagePlace(indexKey(clusterId, object), pageNumber);
    const page = decodeIndexPage(sealed, identity, blockBytes, this.#cipher.sealing(place));
    for (let slot = blockCount - pageNumber * PAGE_BLOCKS; slot < PAGE_BLOCKS; slot++) {
      if (!page.has(slot)) continue;
      const { cloudsnapId } = this.#manifest;
      const where = { cloudsnapId, object: indexKey(clusterId, object) };
      throw damaged(where, `page ${pageNumber} has a block beyond the end of the volume`);
    }
    return page;
  }
}

/** The snap name of a manifest that was decoded, and so is sound. */
export function snapNameOf({ cloudsnapId }: Manifest): string {
  return requireSnapName(cloudsnapId.slice(cloudsnapId.indexOf('/') + 1)).snapName;
}

function follows(before: PageRef | undefined, page: PageRef): boolean {
  return (
    before !== undefined &&
    before.object === page.object &&
    before.offsetBytes + before.lengthBytes === page.offsetBytes
  );
}
