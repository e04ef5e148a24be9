import { extentsOf, type Extent } from '../../base/extent.ts';
import type { DamageFinding, DamagedKind } from './verify-report.ts';

/**
 * Blocks that are listed of one object: a pack of 16 MiB has fewer at the default block size. All
 * are counted.
 */
export const MAX_LISTED = 10_000;
/** Objects that are listed; of a bucket that is gone nobody reads further. All blocks count. */
export const MAX_FINDINGS = 1000;

/** What was found of one object. */
interface Found {
  readonly kind: DamagedKind;
  readonly object: string;
  readonly owner: string;
  readonly finding: string;
  readonly pages: Set<number>;
  readonly blocks: Set<number>;
  blockCount: number;
}

/** A finding before it is known which cloudsnaps it hurts. */
export type BareFinding = Omit<DamageFinding, 'cloudsnaps'>;

/** Collects damage by object; a damaged bucket does not make it grow without bound. */
export class DamageLog {
  readonly #found = new Map<string, Found>();

  /** Objects without blocks of their own. @param owner the cloudsnap that wrote it */
  note(kind: 'manifest' | 'root', object: string, owner: string, finding: string): void {
    this.#entry(kind, object, owner, finding);
  }

  page(object: string, finding: string, page: number, blocks: Extent): void {
    const entry = this.#entry('index', object, ownerOf(object), finding);
    if (!entry || entry.pages.has(page)) return;
    entry.pages.add(page);
    for (let block = 0; block < blocks.blockCount; block++) add(entry, blocks.firstBlock + block);
  }

  block(object: string, finding: string, block: number): void {
    const entry = this.#entry('pack', object, ownerOf(object), finding);
    if (entry) add(entry, block);
  }

  findings(): BareFinding[] {
    return [...this.#found.values()].map(({ pages, blocks, ...found }) => ({
      ...found,
      pages: ascending(pages),
      blocks: [...extentsOf(ascending(blocks))],
    }));
  }

  #entry(kind: DamagedKind, object: string, owner: string, finding: string): Found | undefined {
    const known = this.#found.get(object);
    if (known || this.#found.size >= MAX_FINDINGS) return known;
    const entry: Found = {
      kind,
      object,
      owner,
      finding,
      pages: new Set<number>(),
      blocks: new Set<number>(),
      blockCount: 0,
    };
    this.#found.set(object, entry);
    return entry;
  }
}

function add(entry: Found, block: number): void {
  if (entry.blocks.has(block)) return;
  entry.blockCount++;
  if (entry.blocks.size < MAX_LISTED) entry.blocks.add(block);
}

function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}

/** Packs and index objects lie below the name of the cloudsnap that wrote them. */
function ownerOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/'));
}
