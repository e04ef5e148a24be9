import type { Clock } from '../../base/clock.ts';
import { hasCode, type CloudvolError } from '../../base/errors.ts';
import { frameBytes } from '../../format/frame.ts';
import { PAGE_BLOCKS, type IndexPage } from '../../format/index-page.ts';
import type { PageRef } from '../../format/index-root.ts';
import type { WantedFrame } from '../frame-groups.ts';
import { indexKey, packKey } from '../object-keys.ts';
import type { StoredCloudsnap } from '../stored-cloudsnap.ts';
import { confirmDamage } from './confirm-damage.ts';
import type { DamageLog } from './damage-log.ts';
import type { StoredObjects } from './stored-objects.ts';

export interface IndexWalkOptions {
  readonly cloudsnap: StoredCloudsnap;
  readonly objects: StoredObjects;
  readonly damage: DamageLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Blocks of one index page that lie in objects which are there. */
export interface PageFrames {
  readonly pageNumber: number;
  /** All that have data. */
  readonly blocks: number;
  /** Ascending by block, slots from 0; without those whose object is missing or too short. */
  readonly frames: readonly WantedFrame[];
}

/** Goes over the whole index of a cloudsnap, as often as it is asked to, and notes its damage. */
export class IndexWalk {
  readonly #options: IndexWalkOptions;
  /** Pages whose missing blocks have been noted. */
  readonly #noted = new Set<number>();

  constructor(options: IndexWalkOptions) {
    this.#options = options;
  }

  async *pages(): AsyncGenerator<PageFrames> {
    const { root } = this.#options.cloudsnap.index;
    for (let pageNumber = 0; pageNumber < root.pageCount; pageNumber++) {
      const place = root.get(pageNumber);
      const page = place && (await this.#read(pageNumber, place));
      if (page) yield await this.#framesOf(pageNumber, page);
    }
  }

  async #read(pageNumber: number, place: PageRef): Promise<IndexPage | undefined> {
    const { cloudsnap, objects, damage, signal } = this.#options;
    const { blockCount } = cloudsnap.geometry;
    const firstBlock = pageNumber * PAGE_BLOCKS;
    const blocks = { firstBlock, blockCount: Math.min(PAGE_BLOCKS, blockCount - firstBlock) };
    const key = indexKey(cloudsnap.manifest.clusterId, place.object);
    const fault = await objects.faultOf(key, place.offsetBytes + place.lengthBytes, signal);
    if (fault !== undefined) {
      damage.page(key, fault, pageNumber, blocks);
      return undefined;
    }
    try {
      return await confirmDamage(() => cloudsnap.index.page(pageNumber, signal), this.#options);
    } catch (error) {
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
      damage.page(key, findingOf(error), pageNumber, blocks);
      return undefined;
    }
  }

  async #framesOf(pageNumber: number, page: IndexPage): Promise<PageFrames> {
    const { cloudsnap, objects, damage, signal } = this.#options;
    const frames: WantedFrame[] = [];
    let blocks = 0;
    let missing = 0;
    for (let slot = 0; slot < PAGE_BLOCKS; slot++) {
      const frame = page.get(slot);
      if (!frame) continue;
      blocks++;
      const block = pageNumber * PAGE_BLOCKS + slot;
      const key = packKey(cloudsnap.manifest.clusterId, frame.pack);
      const end = frame.offsetBytes + frameBytes(frame.payloadBytes);
      const fault = await objects.faultOf(key, end, signal);
      if (fault === undefined) frames.push({ block, slot: frames.length, frame });
      else {
        missing++;
        if (!this.#noted.has(pageNumber)) damage.block(key, fault, block);
      }
    }
    if (missing > 0) this.#noted.add(pageNumber);
    return { pageNumber, blocks, frames };
  }
}

/** What is wrong, without the names that the finding carries already. */
export function findingOf(error: CloudvolError): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
