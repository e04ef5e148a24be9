import assert from 'node:assert/strict';
import { PAGE_BLOCKS } from './index-page.ts';

/** The object `<snap name>/index-<number>`, which holds pages. */
export interface IndexObjectRef {
  readonly snapName: string;
  readonly number: number;
  readonly lengthBytes: number;
}

/** Where a page lies. */
export interface PageRef {
  readonly object: IndexObjectRef;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

const NO_OBJECT = 0;

export function pageCountOf(blockCount: number): number {
  return Math.ceil(blockCount / PAGE_BLOCKS);
}

/**
 * Where every page of a cloudsnap lies, its own and those it inherits; a page without a place is
 * all zero. Columns of typed arrays: 12 bytes a page, 12 MiB for the largest volume.
 */
export class IndexRoot {
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly pageCount: number;
  readonly #objects: IndexObjectRef[] = [];
  readonly #numbers = new Map<IndexObjectRef, number>();
  /** Position in #objects plus one. */
  readonly #objectOf: Uint32Array;
  readonly #offsetBytes: Uint32Array;
  readonly #lengthBytes: Uint32Array;

  constructor(blockBytes: number, blockCount: number) {
    this.blockBytes = blockBytes;
    this.blockCount = blockCount;
    this.pageCount = pageCountOf(blockCount);
    this.#objectOf = new Uint32Array(this.pageCount);
    this.#offsetBytes = new Uint32Array(this.pageCount);
    this.#lengthBytes = new Uint32Array(this.pageCount);
  }

  get(pageNumber: number): PageRef | undefined {
    const object = this.#objects[(this.#objectOf[pageNumber] ?? NO_OBJECT) - 1];
    if (!object) return undefined;
    return {
      object,
      offsetBytes: this.#offsetBytes[pageNumber] ?? 0,
      lengthBytes: this.#lengthBytes[pageNumber] ?? 0,
    };
  }

  /** Objects are told apart by identity. */
  set(pageNumber: number, page: PageRef): void {
    assert(pageNumber >= 0 && pageNumber < this.pageCount);
    this.#objectOf[pageNumber] = this.#numberOf(page.object);
    this.#offsetBytes[pageNumber] = page.offsetBytes;
    this.#lengthBytes[pageNumber] = page.lengthBytes;
  }

  /** Makes the page all zero. */
  clear(pageNumber: number): void {
    this.#objectOf[pageNumber] = NO_OBJECT;
  }

  /** The same pages in a volume that is as large or has grown. */
  grownTo(blockCount: number): IndexRoot {
    assert(blockCount >= this.blockCount);
    const grown = new IndexRoot(this.blockBytes, blockCount);
    for (const object of this.#objects) grown.#numberOf(object);
    grown.#objectOf.set(this.#objectOf);
    grown.#offsetBytes.set(this.#offsetBytes);
    grown.#lengthBytes.set(this.#lengthBytes);
    return grown;
  }

  #numberOf(object: IndexObjectRef): number {
    const known = this.#numbers.get(object);
    if (known !== undefined) return known;
    const number = this.#objects.push(object);
    this.#numbers.set(object, number);
    return number;
  }
}
