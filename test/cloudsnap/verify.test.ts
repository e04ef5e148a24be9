import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { GroupSampler } from '../../src/cloudsnap/verify/group-sampler.ts';
import type { VerifyReport } from '../../src/cloudsnap/verify/verify-report.ts';
import { RetryStore } from '../../src/store/layers/retry.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { ObjectInfo } from '../../src/store/object-store.ts';
import { seededFaults } from '../../src/store/layers/seeded-faults.ts';
import { instantClock } from '../model/instant-clock.ts';
import { BLOCK, CloudsnapLab, ModelImage, contentOf } from './cloudsnap-lab.ts';

const never = new AbortController().signal;

/** Its listings are of an earlier time than its objects. */
class StaleStore extends MemoryStore {
  lacks: (key: string) => boolean = () => false;

  override async *list(
    ...[prefix, options]: Parameters<MemoryStore['list']>
  ): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(prefix, options)) if (!this.lacks(info.key)) yield info;
  }
}

interface Point {
  readonly entry: CloudsnapEntry;
  readonly bytes: Uint8Array;
}

/** A full one, incrementals after it, and the full one after those. */
async function labWithChains(incrementals = 2) {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(600);
  image.change(seededRandom(1), 1500);
  const points: Point[] = [];
  const backUp = async (parent: CloudsnapEntry | null) => {
    const entry = await lab.backUp(image, parent);
    points.push({ entry, bytes: image.bytes.slice() });
    return entry;
  };
  let last = await backUp(null);
  for (let i = 0; i < incrementals; i++) {
    image.change(seededRandom(2 + i), 60);
    last = await backUp(last);
  }
  image.change(seededRandom(99), 60);
  await backUp(null);
  return { lab, points };
}

async function verify(lab: CloudsnapLab, entry: CloudsnapEntry, percent = 100, seed = 1) {
  const clock = instantClock();
  const { clusterId, log } = lab;
  const store = new RetryStore(lab.store, { clock });
  const repository = await openRepository({ store, clusterId, log, clock });
  const options = { percent, seed, onProgress: () => {} };
  return await repository.verify(entry.manifest.cloudsnapId, options, never);
}

/** Which of the points cannot be restored as they were, found out by restoring them. */
async function hurtPoints(lab: CloudsnapLab, points: readonly Point[]): Promise<string[]> {
  const repository = await lab.another();
  const hurt: string[] = [];
  for (const { entry, bytes } of points) {
    const content = await contentOf(repository, entry).catch(() => undefined);
    if (!content || Buffer.compare(content, bytes) !== 0) hurt.push(entry.manifest.cloudsnapId);
  }
  return hurt;
}

/** Block by block: those that cannot be read. */
async function unreadableBlocks(lab: CloudsnapLab, entry: CloudsnapEntry): Promise<number[]> {
  const reader = await (await lab.another()).open(entry);
  const blocks: number[] = [];
  for (let block = 0; block < reader.geometry.blockCount; block++) {
    await reader.readBlocks({ firstBlock: block, blockCount: 1 }).catch(() => blocks.push(block));
  }
  await reader.close();
  return blocks;
}

function listed({ damage }: VerifyReport): number[] {
  return damage
    .flatMap(({ blocks }) => blocks)
    .flatMap(({ firstBlock, blockCount }) =>
      [...Array(blockCount).keys()].map((i) => firstBlock + i),
    )
    .sort((a, b) => a - b);
}

test('an undamaged repository verifies clean, every cloudsnap and every block of it', async (t) => {
  const { lab, points } = await labWithChains();
  for (const { entry, bytes } of points) {
    const report = await verify(lab, entry);
    t.deepEqual(report.damage, []);
    const blocks = [...Array(600).keys()].filter((block) =>
      bytes.subarray(block * BLOCK, (block + 1) * BLOCK).some((byte) => byte !== 0),
    );
    t.is(report.blocks, blocks.length);
    t.is(report.blocksRead, blocks.length);
    t.is(report.pages, 3);
    t.true(report.packs >= 1 && report.bytesRead > 0);
  }
});

test('no false alarm: what goes wrong on the way is no damage', async (t) => {
  const { lab, points } = await labWithChains();
  for (let seed = 1; seed <= 10; seed++) {
    lab.faults = seededFaults({
      seed,
      rates: { error: 0.08, 'lost-answer': 0.04, truncate: 0.04, garble: 0.04 },
    });
    for (const { entry } of points) t.deepEqual((await verify(lab, entry)).damage, [], `${seed}`);
  }
});

test('no false alarm: a listing that lacks objects does not make them damaged', async (t) => {
  const disk = new StaleStore();
  const lab = await CloudsnapLab.open({ disk });
  const image = new ModelImage(60);
  image.change(seededRandom(1), 150);
  const entry = await lab.backUp(image, null);
  disk.lacks = (key) => key.includes('/pack-') || key.includes('/index-');
  t.deepEqual((await verify(lab, entry)).damage, []);
  const lost = (await lab.keys()).length;
  disk.lacks = () => false;
  const pack = (await lab.keys()).find((key) => key.includes('/pack-'))!;
  t.true((await lab.keys()).length > lost);
  await disk.delete([pack]);
  const { damage } = await verify(lab, entry);
  t.deepEqual(
    damage.map(({ object, finding }) => [object, finding]),
    [[pack, 'it is missing']],
  );
});

const DAMAGE: Record<string, (body: Uint8Array) => Uint8Array | undefined> = {
  'an altered byte': (body) => body.with(body.length - 100, body[body.length - 100]! ^ 1),
  truncation: (body) => body.subarray(0, body.length >> 1),
  'the loss': () => undefined,
};

for (const [name, change] of Object.entries(DAMAGE)) {
  test(`${name} of any object: what it hurts is named, and no other`, async (t) => {
    const { lab, points } = await labWithChains();
    const keys = (await lab.keys()).filter((key) => /pack-|index-|root$/.test(key));
    t.true(keys.length >= 12);
    for (const key of keys) {
      const original = await lab.disk.get(key);
      const changed = change(original);
      if (changed) await lab.disk.put(key, changed);
      else await lab.disk.delete([key]);
      const hurt = await hurtPoints(lab, points);
      for (const { entry } of points) {
        const { cloudsnapId } = entry.manifest;
        const report = await verify(lab, entry);
        t.is(report.damage.length, hurt.includes(cloudsnapId) ? 1 : 0, `${cloudsnapId}: ${key}`);
        for (const finding of report.damage) {
          t.is(finding.object, key);
          t.true(key.includes(`/${finding.kind}`));
          t.is(`${finding.owner}/`, key.slice(0, key.lastIndexOf('/') + 1));
          t.deepEqual(finding.cloudsnaps, hurt, `${cloudsnapId}: ${key}`);
          t.is(finding.blockCount, listed(report).length);
          if (finding.kind === 'root' || cloudsnapId !== hurt.at(-1)) continue;
          t.deepEqual(listed(report), await unreadableBlocks(lab, entry), key);
        }
      }
      await lab.disk.put(key, original);
    }
  });
}

test('a damaged manifest is found in its own cloudsnap and in the link to it', async (t) => {
  const { lab, points } = await labWithChains();
  const [full, first, second] = points.map(({ entry }) => entry.manifest);
  const key = (await lab.keys('manifests/'))[1]!;
  await lab.alter(key, (body) => body.with(30, body[30]! ^ 1));
  const own = await verify(lab, points[1]!.entry);
  t.deepEqual(
    own.damage.map(({ kind, object, cloudsnaps }) => ({ kind, object, cloudsnaps })),
    [{ kind: 'manifest', object: key, cloudsnaps: [first!.cloudsnapId] }],
  );
  const later = await verify(lab, points[2]!.entry);
  t.like(later.damage[0], { kind: 'manifest', object: key, owner: first!.cloudsnapId, blocks: [] });
  t.deepEqual(later.damage[0]?.cloudsnaps, [first!.cloudsnapId, second!.cloudsnapId]);
  t.true(later.blocksRead > 0, 'its content is looked at all the same');
  t.deepEqual((await verify(lab, points[0]!.entry)).damage, [], full!.cloudsnapId);
});

test('a store that does not answer fails the verification, and is no damage', async (t) => {
  const { lab, points } = await labWithChains();
  lab.faults = ({ verb }) => ({ kind: verb === 'get' ? 'error' : 'none' });
  await t.throwsAsync(verify(lab, points[1]!.entry), { code: 'store/unavailable' });
});

test('a cloudsnap that is not there, or deleted meanwhile, is no damage', async (t) => {
  const { lab, points } = await labWithChains();
  const { entry } = points.at(-2)!;
  let packs = 0;
  lab.faults = ({ verb, key }) => {
    if (verb === 'get' && key.includes('pack-') && packs++ === 0) deleting = deletion();
    return { kind: 'none' };
  };
  const deletion = async () => await (await lab.another()).delete(entry);
  let deleting: Promise<void> | undefined;
  const report = verify(lab, entry).catch((error: unknown) => error);
  const outcome = await report;
  await deleting;
  if (outcome instanceof Error) t.like(outcome, { code: 'cloudsnap/not-found' });
  else t.deepEqual((outcome as VerifyReport).damage, []);
  await t.throwsAsync(verify(lab, entry), { code: 'cloudsnap/not-found' });
});

test('a sample reads its share, the same for the same seed, others for others', async (t) => {
  const lab = await CloudsnapLab.open();
  const image = new ModelImage(256 * 120);
  const random = seededRandom(5);
  for (let block = 0; block < 256 * 120; block += 4) image.write(block, random.bytes(BLOCK));
  const entry = await lab.backUp(image, null);
  const read = async (seed: number, percent: number) => {
    const ranges: string[] = [];
    lab.faults = ({ verb, key }) => {
      if (verb === 'get' && key.includes('/pack-')) ranges.push(key);
      return { kind: 'none' };
    };
    const report = await verify(lab, entry, percent, seed);
    t.deepEqual(report.damage, []);
    return { report, ranges };
  };
  const whole = await read(1, 100);
  const tenth = await read(1, 10);
  t.is(whole.report.blocksRead, 64 * 120);
  t.is(tenth.report.blocks, 64 * 120, 'the index is read whole');
  const share = tenth.report.blocksRead / whole.report.blocksRead;
  t.true(share > 0.08 && share < 0.12, `${share}`);
  t.true(Math.abs(tenth.ranges.length - whole.ranges.length / 10) < 5);
  t.true(new Set(tenth.ranges).size >= 2, 'spread over the packs');
  t.deepEqual((await read(1, 10)).report, tenth.report);
  t.true((await read(3, 1)).ranges.length >= 1);
  const small = await lab.backUp(new ModelImage(1), null);
  t.deepEqual((await verify(lab, small, 1)).blocksRead, 0, 'of nothing, nothing');
});

test('of a cloudsnap of few groups the smallest sample is one of them, not none', async (t) => {
  const { lab, points } = await labWithChains();
  for (let seed = 1; seed < 20; seed++) {
    const { blocksRead, blocks } = await verify(lab, points[2]!.entry, 1, seed);
    t.true(blocksRead > 0 && blocksRead < blocks);
  }
});

test('every hundred groups have exactly their share in the sample, each seed its own', (t) => {
  const sampleOf = (seed: number) => {
    const sampler = new GroupSampler(10, seed);
    return Array.from({ length: 1000 }, () => sampler.next());
  };
  const samples = [1, 2, 3, 4].map(sampleOf);
  for (const sample of samples) {
    for (let from = 0; from < 1000; from += 100) {
      t.is(sample.slice(from, from + 100).filter(Boolean).length, 10);
    }
  }
  t.is(new Set(samples.map(String)).size, 4);
  t.deepEqual(sampleOf(1), samples[0]);
});
