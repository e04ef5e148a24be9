import { readdirSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { seededRandom, type SeededRandom } from '../../src/base/seeded-random.ts';
import type { FrozenView, PlanKind } from '../../src/volume/volume-api.ts';
import type { VolumeCatalog } from '../../src/volume/volume-catalog.ts';
import type { Volume } from '../../src/volume/volume.ts';
import { BACKING, DiskLab, ImageSource, newVolume } from './disk-lab.ts';
import { changeBoth, randomImage } from './random-bytes.ts';

const BLOCK = 4096;
const BLOCKS = 300;
const FULL: PlanKind = { kind: 'full', reason: 'requested' };

/** What a repository would hold: the image of each chain's end. */
interface ChainModel {
  image: Uint8Array | undefined;
  sequence: number;
}

interface OpenBackup {
  readonly repositoryId: string;
  readonly plan: PlanKind;
  readonly view: FrozenView;
  readonly instant: Uint8Array;
}

/**
 * A volume that lives through writes, backups to two repositories, failed ones, kills and closes.
 * Whatever is in a chain must become the volume's image at the instant by laying the planned
 * blocks over it: that is what an incremental is.
 */
class Epochs {
  readonly random: SeededRandom;
  readonly model: Uint8Array;
  readonly chains = new Map<string, ChainModel>();
  readonly counts = { full: 0, incremental: 0, failed: 0, adopted: 0, kills: 0, closes: 0 };
  readonly #t: ExecutionContext;
  readonly #lab: DiskLab;
  #catalog: VolumeCatalog;
  #open: OpenBackup[] = [];

  constructor(t: ExecutionContext, lab: DiskLab, catalog: VolumeCatalog, seed: number) {
    this.#t = t;
    this.#lab = lab;
    this.#catalog = catalog;
    this.random = seededRandom(seed);
    this.model = new Uint8Array(BLOCK * BLOCKS);
  }

  get volume(): Volume {
    return this.#catalog.find('v');
  }

  async write(): Promise<void> {
    const times = 1 + this.random.below(4);
    for (let i = 0; i < times; i++) {
      await changeBoth(this.random, this.volume, this.model, BLOCK * 3);
    }
  }

  async freeze(): Promise<void> {
    const repositoryId = this.random.chance(0.7) ? 'often' : 'seldom';
    if (this.#open.some((backup) => backup.repositoryId === repositoryId)) return;
    const tip = this.volume.chainTip(repositoryId);
    const isComplete = tip && this.volume.deltasCompleteSince(tip.baseEpoch);
    const plan: PlanKind =
      isComplete && this.random.chance(0.85) ? { kind: 'incremental', base: tip } : FULL;
    const instant = this.model.slice();
    const view = await this.volume.freeze(plan);
    this.#open.push({ repositoryId, plan, view, instant });
  }

  async finish(): Promise<void> {
    const backup = this.#open.shift();
    if (!backup) return;
    const image = await this.#upload(backup);
    await this.#record(backup);
    const fate = this.random.next();
    if (fate < 0.25) {
      this.counts.failed++;
    } else {
      this.chains.set(backup.repositoryId, { image, sequence: backup.view.epoch });
      if (fate < 0.45) {
        // Published, and killed before it was noted: the next life adopts what it had recorded.
        await this.kill();
        const pending = this.volume.pendingCommit(backup.repositoryId);
        this.#t.is(pending?.epoch, backup.view.epoch);
        await this.#commit(backup);
        this.counts.adopted++;
        return;
      }
      await this.#commit(backup);
    }
    await backup.view.release();
  }

  /** SIGKILL, as far as the files can tell: nobody says goodbye. */
  async kill(): Promise<void> {
    this.counts.kills++;
    this.#open = [];
    this.#catalog = await this.#lab.open();
  }

  async close(): Promise<void> {
    this.counts.closes++;
    for (const { view } of this.#open.splice(0)) await view.release();
    await this.#catalog.close();
    this.#catalog = await this.#lab.open();
  }

  async end(): Promise<void> {
    for (const { view } of this.#open.splice(0)) await view.release();
    await this.#catalog.close();
  }

  /** Lays the planned blocks over the chain's image, and compares it with the instant. */
  async #upload({ repositoryId, plan, view, instant }: OpenBackup): Promise<Uint8Array> {
    const base = plan.kind === 'full' ? undefined : this.chains.get(repositoryId)?.image;
    const image = base?.slice() ?? new Uint8Array(instant.length);
    let planned = 0;
    for (const extent of view.extents()) {
      planned += extent.blockCount;
      const bytes = new Uint8Array(extent.blockCount * BLOCK);
      this.#t.deepEqual(await view.readBlocks(extent, bytes), []);
      image.set(bytes, extent.firstBlock * BLOCK);
      if (this.random.chance(0.5)) view.forget(extent);
      // Writers go on in the middle of it.
      if (this.random.chance(0.3)) await this.write();
    }
    this.#t.is(planned, view.plannedBlocks);
    this.#t.is(Buffer.compare(image, instant), 0, `${plan.kind} of epoch ${view.epoch} differs`);
    this.counts[plan.kind]++;
    return image;
  }

  async #record({ repositoryId, view }: OpenBackup): Promise<void> {
    await this.volume.recordPendingCommit({
      repositoryId,
      cloudsnapId: `c/${view.epoch}`,
      epoch: view.epoch,
      createdMs: view.frozenAtMs,
    });
  }

  async #commit({ repositoryId, view }: OpenBackup): Promise<void> {
    await this.volume.commitChain({
      repositoryId,
      baseEpoch: view.epoch,
      cloudsnapId: `c/${view.epoch}`,
      manifestSha256: 'f'.repeat(64),
      sequence: view.epoch,
      incrementals: 0,
    });
  }
}

for (const seed of [11, 12, 13]) {
  test(`incrementals are exact through failures, kills, two chains: seed ${seed}`, async (t) => {
    const lab = new DiskLab(t);
    const catalog = await lab.open();
    await catalog.create(newVolume(BLOCK * BLOCKS));
    const life = new Epochs(t, lab, catalog, seed);
    for (let step = 0; step < 350; step++) {
      const dice = life.random.next();
      if (dice < 0.4) await life.write();
      else if (dice < 0.65) await life.freeze();
      else if (dice < 0.92) await life.finish();
      else if (dice < 0.96) await life.kill();
      else await life.close();
    }
    for (const count of Object.values(life.counts)) t.true(count > 1, JSON.stringify(life.counts));
    // No power was cut: everything was known all the time.
    t.is(life.volume.file.current.bitsLostBefore, 0);
    await life.end();
  });
}

async function backUp(volume: Volume, repositoryId: string): Promise<number> {
  const tip = volume.chainTip(repositoryId);
  const view = await volume.freeze(tip ? { kind: 'incremental', base: tip } : FULL);
  await volume.commitChain({
    repositoryId,
    baseEpoch: view.epoch,
    cloudsnapId: 'c/1',
    manifestSha256: 'f'.repeat(64),
    sequence: 1,
    incrementals: 0,
  });
  await view.release();
  return view.plannedBlocks;
}

test('an incremental plans the blocks written since its base, and no others', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(BLOCK * BLOCKS));
  await volume.write(0, new Uint8Array(BLOCK * 10).fill(1));
  await backUp(volume, 'a');
  const random = seededRandom(5);
  const model = new Uint8Array(BLOCK * BLOCKS);
  for (let round = 0; round < 10; round++) {
    const written = new Set<number>();
    for (let i = 0; i < random.below(20); i++) {
      const block = random.below(BLOCKS);
      written.add(block);
      await volume.write(block * BLOCK + 5, new Uint8Array([round + 1]));
    }
    model.fill(0);
    t.is((await volume.inspect()).dirtyBlocks, written.size);
    t.is(await backUp(volume, 'a'), written.size, `round ${round}`);
    t.is((await volume.inspect()).dirtyBlocks, 0);
  }
  await catalog.close();
});

test('an incremental that repairs also plans blocks that did not change, this once', async (t) => {
  const catalog = await new DiskLab(t).open();
  const volume = await catalog.create(newVolume(BLOCK * BLOCKS));
  await volume.write(0, new Uint8Array(BLOCK * 10).fill(1));
  await backUp(volume, 'a');
  await volume.write(BLOCK * 20, new Uint8Array(BLOCK).fill(2));
  const also = [
    { firstBlock: 3, blockCount: 2 },
    { firstBlock: BLOCKS - 1, blockCount: 1 },
  ];
  const view = await volume.freeze({ kind: 'incremental', base: volume.chainTip('a')!, also });
  await volume.write(BLOCK * 3, new Uint8Array(BLOCK).fill(9));
  t.deepEqual([...view.extents()], [also[0], { firstBlock: 20, blockCount: 1 }, also[1]]);
  const target = new Uint8Array(BLOCK * 2);
  t.deepEqual(await view.readBlocks({ firstBlock: 3, blockCount: 2 }, target), []);
  t.true(
    target.every((byte) => byte === 1),
    'as it was at the instant',
  );
  await view.release();
  t.is(await backUp(volume, 'a'), 2, 'what was written, and nothing else');
  const beyond = [{ firstBlock: BLOCKS, blockCount: 1 }];
  await t.throwsAsync(
    volume.freeze({ kind: 'incremental', base: volume.chainTip('a')!, also: beyond }),
  );
  await catalog.close();
});

test('deltas that nobody asks for go, and those between two bases become one', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(BLOCK * BLOCKS));
  const deltas = () =>
    readdirSync(volume.directory.path).filter((name) => name.startsWith('delta-'));
  await backUp(volume, 'seldom');
  t.is(deltas().length, 0);
  for (let round = 1; round <= 40; round++) {
    await volume.write(round * BLOCK, new Uint8Array([round]));
    await backUp(volume, 'often');
    t.true(deltas().length <= 8, `round ${round}: ${deltas().join(' ')}`);
  }
  t.is(await backUp(volume, 'seldom'), 40);
  // The other chain has not seen it yet.
  t.is(deltas().length, 1);
  await volume.dropChain('seldom');
  await volume.dropChain('often');
  t.is(volume.chainTip('often'), undefined);
  t.is(deltas().length, 0);
  await catalog.close();
});

test('there are six instants at most, and releasing one makes room', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const volume = await catalog.create(newVolume(BLOCK * 8));
  const views: FrozenView[] = [];
  for (let i = 0; i < 6; i++) {
    await volume.write(0, new Uint8Array([i]));
    views.push(await volume.freeze(FULL));
  }
  await t.throwsAsync(volume.freeze(FULL), { code: 'volume/too-many-views' });
  await volume.write(0, new Uint8Array([9]));
  for (const [i, view] of views.entries()) {
    const bytes = new Uint8Array(BLOCK);
    await view.readBlocks({ firstBlock: 0, blockCount: 1 }, bytes);
    t.is(bytes[0], i);
  }
  await views[2]?.release();
  await views[2]?.release();
  const seventh = await volume.freeze(FULL);
  const bytes = new Uint8Array(BLOCK);
  await views[1]?.readBlocks({ firstBlock: 0, blockCount: 1 }, bytes);
  t.is(bytes[0], 1, 'the older instant keeps what the released one had copied');
  await seventh.release();
  await catalog.close();
});

test('a view for which there is no space breaks, and the write does not fail', async (t) => {
  const lab = new DiskLab(t);
  const catalog = await lab.open({ maxSideBytes: BLOCK });
  const volume = await catalog.create(newVolume(BLOCK * 8));
  await volume.write(0, new Uint8Array(BLOCK * 8).fill(1));
  const view = await volume.freeze(FULL);
  await volume.write(0, new Uint8Array(BLOCK * 8).fill(2));
  const target = new Uint8Array(BLOCK * 8);
  const error = await t.throwsAsync(view.readBlocks({ firstBlock: 0, blockCount: 8 }, target), {
    code: 'volume/view-broken',
  });
  t.regex(error?.message ?? '', /of volume v cannot be read/);
  await view.release();
  // The failed cloudsnap costs nothing but itself.
  const next = await volume.freeze(FULL);
  t.deepEqual(await next.readBlocks({ firstBlock: 0, blockCount: 8 }, target), []);
  t.true(target.every((byte) => byte === 2));
  await next.release();
  await catalog.close();
});

test('an instant of a volume with absent blocks holds, whatever comes after it', async (t) => {
  const random = seededRandom(31);
  const image = randomImage(random, BLOCK * 64, BLOCK);
  const lab = new DiskLab(t);
  const catalog = await lab.open();
  const source = new ImageSource(image.slice(), BLOCK);
  const volume = await catalog.createAbsent({
    ...newVolume(image.length),
    backing: BACKING,
    source,
  });
  const model = image.slice();
  for (let i = 0; i < 10; i++) await changeBoth(random, volume, model, BLOCK * 2);
  const view = await volume.freeze(FULL);
  const instant = model.slice();
  for (let i = 0; i < 30; i++) await changeBoth(random, volume, model, BLOCK * 4);
  for (const extent of volume.absentExtents(4)) {
    for (const run of await source.readBlocks(extent, { priority: 'background' })) {
      await volume.populate(run);
    }
  }
  await volume.completeHydration();
  t.false(source.isClosed, 'a view is still open');
  let askedOf = 0;
  const frozen = new Uint8Array(image.length);
  for (const extent of view.extents()) {
    const bytes = new Uint8Array(extent.blockCount * BLOCK);
    for (const absent of await view.readBlocks(extent, bytes)) {
      askedOf += absent.blockCount;
      const { signal } = new AbortController();
      const start = (absent.firstBlock - extent.firstBlock) * BLOCK;
      bytes.set(await volume.readAbsent(absent, signal), start);
    }
    frozen.set(bytes, extent.firstBlock * BLOCK);
  }
  t.is(Buffer.compare(frozen, instant), 0);
  t.true(askedOf > 0, 'some absent block was overwritten after the instant');
  await view.release();
  t.true(source.isClosed);
  await t.throwsAsync(
    volume.readAbsent({ firstBlock: 0, blockCount: 1 }, new AbortController().signal),
    { code: 'volume/no-source' },
  );
  await catalog.close();
});
