import type { Extent } from '../../base/extent.ts';
import type { DamageFinding } from './verify-report.ts';

/** Runs of blocks in a sentence; `--json` has more. */
const SHOWN_RUNS = 8;

/** What is damaged and whom it hurts, for people. */
export function damageSentence(finding: DamageFinding): string {
  const { kind, object, finding: what, pages, blocks, blockCount, cloudsnaps } = finding;
  const page = pages.length === 1 ? `page ${pages[0]}` : `${pages.length} pages`;
  const where = kind === 'index' ? `${page} of index object ${object}` : `${kind} ${object}`;
  const hurt = blockCount === 0 ? '' : `; it takes ${blocksIn(blocks, blockCount)}`;
  return `${where} is damaged: ${what}${hurt}; it hurts ${cloudsnaps.join(', ')}`;
}

function blocksIn(runs: readonly Extent[], blockCount: number): string {
  const shown = runs
    .slice(0, SHOWN_RUNS)
    .map(({ firstBlock, blockCount: count }) =>
      count === 1 ? `${firstBlock}` : `${firstBlock}–${firstBlock + count - 1}`,
    );
  const all = shown.length < runs.length ? `${shown.join(', ')}, …` : shown.join(', ');
  return blockCount === 1 ? `block ${all}` : `${blockCount} blocks (${all})`;
}
