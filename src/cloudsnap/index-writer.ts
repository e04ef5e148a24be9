import assert from 'node:assert/strict';
import type { ClusterId } from '../base/ids.ts';
import { encodeIndexPage } from '../format/index-page-codec.ts';
import type { IndexPage } from '../format/index-page.ts';
import { INDEX_TARGET_BYTES } from '../format/index-root-codec.ts';
import type { IndexRoot } from '../format/index-root.ts';
import { INDEX_OBJECTS_PER_ATTEMPT } from '../format/root-object.ts';
import { indexKey, pagePlace } from './object-keys.ts';
import type { RootCipher } from './root-cipher.ts';
import type { Uploads } from './uploads.ts';

export interface IndexWriterOptions {
  readonly clusterId: ClusterId;
  readonly snapName: string;
  /** Takes the places of the pages; begins as the parent's. */
  readonly root: IndexRoot;
  readonly uploads: Uploads;
  readonly cipher: RootCipher;
  /** Of the upload: its index objects have numbers of their own. */
  readonly attempt: number;
}

interface StoredPage {
  readonly pageNumber: number;
  readonly bytes: Uint8Array;
}

/** Collects changed pages into index objects, and notes in the root where each of them lies. */
export class IndexWriter {
  readonly #options: IndexWriterOptions;
  #pages: StoredPage[] = [];
  #pendingBytes = 0;
  #objects = 0;

  constructor(options: IndexWriterOptions) {
    this.#options = options;
  }

  /** Of the index object that is being collected. */
  get #number(): number {
    return this.#options.attempt * INDEX_OBJECTS_PER_ATTEMPT + this.#objects;
  }

  get #key(): string {
    const { clusterId, snapName } = this.#options;
    return indexKey(clusterId, { snapName, number: this.#number });
  }

  /** Takes a page that changed, in ascending order. A page without frames is not stored. */
  async add(pageNumber: number, page: IndexPage): Promise<void> {
    const { root, snapName, cipher } = this.#options;
    if (page.isEmpty) {
      root.clear(pageNumber);
      return;
    }
    const sealing = cipher.sealing(pagePlace(this.#key, pageNumber));
    const bytes = encodeIndexPage(page, { snapName, pageNumber }, sealing);
    this.#pages.push({ pageNumber, bytes });
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= INDEX_TARGET_BYTES) await this.close();
  }

  /** Sends off what has been collected; resolves when its upload has begun. */
  async close(): Promise<void> {
    if (this.#pages.length === 0) return;
    const { snapName, root, uploads, attempt } = this.#options;
    assert(this.#objects < INDEX_OBJECTS_PER_ATTEMPT, 'no volume has so many pages');
    const key = this.#key;
    const object = { snapName, number: this.#number, lengthBytes: this.#pendingBytes };
    this.#objects++;
    let offsetBytes = 0;
    for (const { pageNumber, bytes } of this.#pages) {
      root.set(pageNumber, { object, offsetBytes, lengthBytes: bytes.length });
      offsetBytes += bytes.length;
    }
    const body = Buffer.concat(this.#pages.map(({ bytes }) => bytes));
    this.#pages = [];
    this.#pendingBytes = 0;
    await uploads.start(key, body, { ifAbsent: attempt > 0 });
  }
}
