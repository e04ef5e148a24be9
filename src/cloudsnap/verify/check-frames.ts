import { eachLimited } from '../../base/each-limited.ts';
import { hasCode } from '../../base/errors.ts';
import { seededRandom } from '../../base/seeded-random.ts';
import { groupFrames, type FrameGroup, type WantedFrame } from '../frame-groups.ts';
import { packKey } from '../object-keys.ts';
import { confirmDamage } from './confirm-damage.ts';
import { GroupSampler } from './group-sampler.ts';
import { findingOf, type IndexWalk, type IndexWalkOptions } from './index-walk.ts';
import type { VerifyOptions, VerifyReport } from './verify-report.ts';

/** Plain bytes of one group: bounds memory however well the blocks compress. */
const GROUP_PLAIN_BYTES = 8 << 20;
/**
 * Groups under way at once: fetched, decoded and dropped. Few of the store's sixteen requests, and
 * one thread of libuv's four is left, so that readers who wait go on; 48 MiB of memory.
 */
const GROUPS_AT_ONCE = 3;

type Counts = Pick<VerifyReport, 'packs' | 'pages' | 'blocks' | 'blocksRead' | 'bytesRead'>;

/**
 * Reads the index whole, then the sample of the frames that it names, and notes all damage.
 * @throws what is no damage: a store that does not answer, the signal's reason.
 */
export async function checkFrames(
  options: IndexWalkOptions,
  walk: IndexWalk,
  { percent, seed, onProgress }: VerifyOptions,
): Promise<Counts> {
  const { blockBytes } = options.cloudsnap.geometry;
  const onPage = () => onProgress({ bytesTotal: 0, bytesDone: 0 });
  const size = await measure(walk, { blockBytes, percent, seed, onPage });
  const { bytesTotal } = size;
  let bytesRead = 0;
  let blocksRead = 0;
  onProgress({ bytesTotal, bytesDone: 0 });
  await eachLimited(
    sampled(walk, blockBytes, percent, seed, size.only),
    async (group) => {
      await checkGroup(group, options);
      bytesRead += group.lengthBytes;
      blocksRead += group.frames.length;
      onProgress({ bytesTotal, bytesDone: bytesRead });
    },
    { limit: GROUPS_AT_ONCE, signal: options.signal },
  );
  const { packs, pages, blocks } = size;
  return { packs, pages, blocks, blocksRead, bytesRead };
}

interface MeasureOptions {
  readonly blockBytes: number;
  readonly percent: number;
  readonly seed: number;
  /** A sign of life: an index of a large volume takes minutes. */
  readonly onPage: () => void;
}

/** The whole cloudsnap in numbers, and what the sample will read of it. */
async function measure(walk: IndexWalk, options: MeasureOptions) {
  const { blockBytes, percent, seed, onPage } = options;
  const sampler = new GroupSampler(percent, seed);
  const random = seededRandom(seed);
  const packs = new Set<string>();
  let [pages, blocks, bytesTotal, groups] = [0, 0, 0, 0];
  // Of a cloudsnap with fewer groups than a sample has gaps: one of them, each as likely.
  let spare: { readonly group: number; readonly bytes: number } | undefined;
  for await (const page of walk.pages()) {
    onPage();
    pages++;
    blocks += page.blocks;
    for (const group of groupsOf(page.frames, blockBytes)) {
      packs.add(group.pack.packId);
      if (sampler.next()) bytesTotal += group.lengthBytes;
      if (random.below(++groups) === 0) spare = { group: groups - 1, bytes: group.lengthBytes };
    }
  }
  const only = bytesTotal === 0 ? spare?.group : undefined;
  bytesTotal ||= spare?.bytes ?? 0;
  return { packs: packs.size, pages, blocks, bytesTotal, only };
}

async function* sampled(
  walk: IndexWalk,
  blockBytes: number,
  percent: number,
  seed: number,
  only: number | undefined,
): AsyncGenerator<FrameGroup> {
  const sampler = new GroupSampler(percent, seed);
  let number = 0;
  for await (const { frames } of walk.pages()) {
    for (const group of groupsOf(frames, blockBytes)) {
      const taken = sampler.next();
      if (only === undefined ? taken : number === only) yield group;
      number++;
    }
  }
}

function* groupsOf(frames: readonly WantedFrame[], blockBytes: number): Generator<FrameGroup> {
  const most = Math.max(1, Math.floor(GROUP_PLAIN_BYTES / blockBytes));
  for (let from = 0; from < frames.length; from += most) {
    yield* groupFrames(frames.slice(from, from + most));
  }
}

/** Halves a damaged group until the damaged frames are left. */
async function checkGroup(group: FrameGroup, options: IndexWalkOptions): Promise<void> {
  const { cloudsnap, damage, signal } = options;
  const frames = group.frames.map((frame, slot) => ({ ...frame, slot }));
  const read = () => {
    const target = new Uint8Array(frames.length * cloudsnap.geometry.blockBytes);
    return cloudsnap.fetchGroup({ ...group, frames }, target, signal);
  };
  try {
    await (frames.length === 1 ? confirmDamage(read, options) : read());
  } catch (error) {
    if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
    const [first] = frames;
    if (frames.length === 1 && first) {
      const key = packKey(cloudsnap.manifest.clusterId, group.pack);
      damage.block(key, findingOf(error), first.block);
      return;
    }
    const middle = frames.length >> 1;
    for (const half of [frames.slice(0, middle), frames.slice(middle)]) {
      for (const part of groupFrames(half)) await checkGroup(part, options);
    }
  }
}
