import type { Extent } from '../../base/extent.ts';
import type { Clock } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import { PAGE_BLOCKS } from '../../format/index-page.ts';
import type { Manifest } from '../../format/manifest.ts';
import type { IndexReader } from '../index-reader.ts';
import { isVisible, type ManifestCatalog, type Slot } from '../manifest-catalog.ts';
import type { StoredCloudsnap } from '../stored-cloudsnap.ts';
import { confirmDamage } from './confirm-damage.ts';
import type { BareFinding } from './damage-log.ts';

export interface HurtOptions {
  readonly catalog: ManifestCatalog;
  /** Of the volume. */
  readonly slots: readonly Slot[];
  readonly open: (manifest: Manifest, signal: AbortSignal) => Promise<StoredCloudsnap>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Which other visible cloudsnaps of the volume suffer, by damaged object. */
export async function hurtCloudsnaps(
  verified: StoredCloudsnap,
  findings: readonly BareFinding[],
  options: HurtOptions,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const hurt = new Map<string, string[]>();
  const shared = findings.filter(({ kind }) => kind === 'index' || kind === 'pack');
  if (shared.length === 0) return hurt;
  for (const manifest of await relatives(verified.manifest, options)) {
    const other = await unlessDamaged(() => options.open(manifest, options.signal), options);
    if (!other) continue;
    try {
      for (const finding of shared) {
        if (!(await suffers(other.index, verified.index, finding, options))) continue;
        hurt.set(finding.object, [...(hurt.get(finding.object) ?? []), manifest.cloudsnapId]);
      }
    } finally {
      await other.close();
    }
  }
  return hurt;
}

/** The visible cloudsnaps of the chain that this one is in, from full to full; ascending. */
async function relatives(
  { sequence, parent }: Manifest,
  options: HurtOptions,
): Promise<Manifest[]> {
  const { slots } = options;
  const ascending = slots.filter(isVisible).toSorted((a, b) => a.sequence - b.sequence);
  const before: Manifest[] = [];
  if (parent) {
    for (const slot of ascending.filter((each) => each.sequence < sequence).toReversed()) {
      const manifest = await readSound(slot, options);
      if (manifest) before.unshift(manifest);
      if (manifest?.parent === null) break;
    }
  }
  const after: Manifest[] = [];
  for (const slot of ascending.filter((each) => each.sequence > sequence)) {
    const manifest = await readSound(slot, options);
    if (manifest?.parent === null) break;
    if (manifest) after.push(manifest);
  }
  return [...before, ...after];
}

async function readSound(slot: Slot, options: HurtOptions): Promise<Manifest | undefined> {
  const read = () => options.catalog.read(slot, options.signal);
  return (await unlessDamaged(read, options))?.manifest;
}

/** What is damaged itself is another finding, of its own verification. */
async function unlessDamaged<T>(
  read: () => Promise<T>,
  options: Pick<HurtOptions, 'clock' | 'signal'>,
): Promise<T | undefined> {
  try {
    return await confirmDamage(read, options);
  } catch (error) {
    const isGoneOrDamaged =
      hasCode(error, 'cloudsnap/corrupt') || hasCode(error, 'cloudsnap/not-found');
    if (!isGoneOrDamaged) throw error;
    return undefined;
  }
}

/** Whether another cloudsnap's index names the same place. */
async function suffers(
  other: IndexReader,
  verified: IndexReader,
  { kind, pages, blocks }: BareFinding,
  options: HurtOptions,
): Promise<boolean> {
  if (kind === 'index') return pages.some((page) => samePage(other, verified, page));
  if (kind !== 'pack') return false;
  for (const pageNumber of pagesOf(blocks)) {
    // A page that both have is one page: so are its frames.
    if (samePage(other, verified, pageNumber)) return true;
    const [theirs, ours] = await Promise.all(
      [other, verified].map((index) =>
        unlessDamaged(() => pageOf(index, pageNumber, options.signal), options),
      ),
    );
    for (const block of blocksIn(blocks, pageNumber)) {
      const [their, our] = [theirs?.place(block), ours?.place(block)];
      const isSame =
        our !== undefined &&
        their?.pack.packId === our.pack.packId &&
        their.pack.snapName === our.pack.snapName &&
        their.offsetBytes === our.offsetBytes;
      if (isSame) return true;
    }
  }
  return false;
}

async function pageOf(index: IndexReader, pageNumber: number, signal: AbortSignal) {
  if (pageNumber >= index.root.pageCount) return undefined;
  return await index.page(pageNumber, signal);
}

function samePage(other: IndexReader, verified: IndexReader, page: number): boolean {
  const [theirs, ours] = [other.root.get(page), verified.root.get(page)];
  return (
    theirs !== undefined &&
    theirs.object.snapName === ours?.object.snapName &&
    theirs.object.number === ours.object.number &&
    theirs.offsetBytes === ours.offsetBytes
  );
}

function pagesOf(blocks: readonly Extent[]): Set<number> {
  const pages = new Set<number>();
  for (const { firstBlock, blockCount } of blocks) {
    const last = Math.floor((firstBlock + blockCount - 1) / PAGE_BLOCKS);
    for (let page = Math.floor(firstBlock / PAGE_BLOCKS); page <= last; page++) pages.add(page);
  }
  return pages;
}

/** Slots of the page. */
function* blocksIn(blocks: readonly Extent[], page: number): Generator<number> {
  const [start, end] = [page * PAGE_BLOCKS, (page + 1) * PAGE_BLOCKS];
  for (const { firstBlock, blockCount } of blocks) {
    const last = Math.min(end, firstBlock + blockCount);
    for (let block = Math.max(start, firstBlock); block < last; block++) yield block - start;
  }
}
