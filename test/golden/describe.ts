import { PAGE_BLOCKS, type IndexPage } from '../../src/format/index-page.ts';
import type { IndexRoot } from '../../src/format/index-root.ts';

/** What a page says, as JSON; slots without a frame are left out. */
export function describePage(page: IndexPage) {
  return Array.from({ length: PAGE_BLOCKS }, (_, slot) => slot).flatMap((slot) => {
    const frame = page.get(slot);
    return frame ? [{ slot, ...frame, hash: Buffer.from(frame.hash).toString('hex') }] : [];
  });
}

/** What a root says, as JSON; pages without a place are left out. */
export function describeRoot(root: IndexRoot) {
  const pages = Array.from({ length: root.pageCount }, (_, number) => number).flatMap((number) => {
    const page = root.get(number);
    return page ? [{ number, ...page }] : [];
  });
  return { blockBytes: root.blockBytes, blockCount: root.blockCount, pages };
}
