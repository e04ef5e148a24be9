import type { Clock } from '../../base/clock.ts';
import { CloudvolError, hasCode } from '../../base/errors.ts';
import { extentsOf } from '../../base/extent.ts';
import { frameBytes } from '../../format/frame.ts';
import { PAGE_BLOCKS, type FramePlace, type IndexPage } from '../../format/index-page.ts';
import { packKey } from '../object-keys.ts';
import type { StoredCloudsnap } from '../stored-cloudsnap.ts';
import { confirmDamage } from '../verify/confirm-damage.ts';
import type { StoredObjects } from '../verify/stored-objects.ts';
import type { RepairPlan } from './repair-plan.ts';

export interface RepairPlanOptions {
  /** The cloudsnap that the next one is to build on. */
  readonly parent: StoredCloudsnap;
  readonly objects: StoredObjects;
  /** Keys of the objects that are known to be damaged. */
  readonly damaged: ReadonlySet<string>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Extents of more blocks are rather a full cloudsnap than a list in memory: 16 GiB of volume at the
 * default block size.
 */
const MAX_BLOCKS = 1 << 18;

/**
 * Reads the whole index of the parent, which says exactly what is hurt. Packs that are missing or
 * too short are taken in, known or not.
 * @throws CloudvolError `cloudsnap/corrupt` when so much is damaged that a full one is as good.
 */
export async function planRepair(options: RepairPlanOptions): Promise<RepairPlan> {
  const packs = new Set<string>();
  const pages = new Set<number>();
  const blocks: number[] = [];
  const { root } = options.parent.index;
  for (let pageNumber = 0; pageNumber < root.pageCount; pageNumber++) {
    if (!root.get(pageNumber)) continue;
    const page = await readPage(pageNumber, options);
    if (!page) pages.add(pageNumber);
    for (let slot = 0; slot < PAGE_BLOCKS; slot++) {
      const block = pageNumber * PAGE_BLOCKS + slot;
      if (block >= root.blockCount) break;
      const place = page?.place(slot);
      const key = place && packKey(options.parent.manifest.clusterId, place.pack);
      const isHurt = place && key ? await isDamaged(key, place, options) : !page;
      if (!isHurt) continue;
      blocks.push(block);
      if (key) packs.add(key);
    }
    if (blocks.length <= MAX_BLOCKS) continue;
    const { cloudsnapId } = options.parent.manifest;
    throw new CloudvolError(
      'cloudsnap/corrupt',
      `more than ${MAX_BLOCKS} blocks of ${cloudsnapId} are hurt`,
      { hint: 'take a full cloudsnap', details: { cloudsnapId } },
    );
  }
  return { blocks: [...extentsOf(blocks)], packs, pages };
}

async function readPage(
  pageNumber: number,
  { parent, clock, signal }: RepairPlanOptions,
): Promise<IndexPage | undefined> {
  try {
    return await confirmDamage(() => parent.index.page(pageNumber, signal), { clock, signal });
  } catch (error) {
    if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
    return undefined;
  }
}

async function isDamaged(
  key: string,
  { offsetBytes, payloadBytes }: FramePlace,
  { damaged, objects, signal }: RepairPlanOptions,
): Promise<boolean> {
  if (damaged.has(key)) return true;
  const end = offsetBytes + frameBytes(payloadBytes);
  return (await objects.faultOf(key, end, signal)) !== undefined;
}
