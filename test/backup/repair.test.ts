import test, { type ExecutionContext } from 'ava';
import { geometryOf } from '../../src/base/geometry.ts';
import { seededRandom, type SeededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import type { VerifyReport } from '../../src/cloudsnap/verify/verify-report.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { Lab } from '../model/lab.ts';
import { RecordingTask } from '../model/recording-task.ts';

const BLOCK = 4096;
const BLOCKS = 600;
const never = new AbortController().signal;

/** A volume whose chain is a full cloudsnap and two incrementals. */
class RepairLab {
  readonly disk = new MemoryStore();
  readonly lab: Lab;
  readonly entries: CloudsnapEntry[] = [];
  readonly #random: SeededRandom;

  private constructor(lab: Lab, disk: MemoryStore, seed: number) {
    this.lab = lab;
    this.disk = disk;
    this.#random = seededRandom(seed);
  }

  static async open(seed = 1): Promise<RepairLab> {
    const disk = new MemoryStore();
    const lab = await Lab.open({ disks: [disk], geometry: geometryOf(BLOCKS * BLOCK, BLOCK) });
    const opened = new RepairLab(lab, disk, seed);
    for (let block = 0; block < BLOCKS; block += 2) opened.write(block);
    for (const changes of [0, 30, 30]) {
      opened.change(changes);
      await opened.backUp();
    }
    return opened;
  }

  write(block: number): void {
    this.lab.volume.write(block, this.#random.bytes(BLOCK));
  }

  change(times: number): void {
    for (let i = 0; i < times; i++) this.write(this.#random.below(BLOCKS));
  }

  async backUp(task = new RecordingTask()): Promise<CloudsnapEntry> {
    const entry = await this.lab.backup({}, task);
    this.entries.push(entry);
    return entry;
  }

  /** As the agent does: what is found is remembered. */
  async verify({ manifest }: CloudsnapEntry): Promise<VerifyReport> {
    const { repository, damage } = this.lab;
    const options = { percent: 100, seed: 1, onProgress: () => {} };
    const report = await repository.verify(manifest.cloudsnapId, options, never);
    for (const finding of report.damage) {
      damage.note({ repositoryId: repository.id, volumeId: report.volumeId, ...finding });
    }
    return report;
  }

  async keys(pattern: RegExp): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.disk.list('')) if (pattern.test(key)) keys.push(key);
    return keys;
  }

  async damageObject(key: string, how: keyof typeof DAMAGE): Promise<void> {
    const changed = DAMAGE[how](await this.disk.get(key));
    if (changed) await this.disk.put(key, changed);
    else await this.disk.delete([key]);
  }
}

const DAMAGE = {
  altered: (body: Uint8Array) => body.with(body.length - 100, body[body.length - 100]! ^ 1),
  truncated: (body: Uint8Array) => body.subarray(0, body.length >> 1),
  missing: (): Uint8Array | undefined => undefined,
};

async function requireWhole(
  t: ExecutionContext,
  lab: RepairLab,
  entry: CloudsnapEntry,
  what: string,
) {
  t.deepEqual(await lab.lab.wrongBlocks(entry), [], what);
  t.deepEqual((await lab.verify(entry)).damage, [], what);
}

for (const how of Object.keys(DAMAGE) as (keyof typeof DAMAGE)[]) {
  test(`what verify found ${how} is repaired by the next backup, which is whole`, async (t) => {
    const kinds = { full: 0, incremental: 0 };
    const count = (await (await RepairLab.open()).keys(/pack-|index-|root$|manifests/)).length;
    for (let object = 0; object < count; object++) {
      const lab = await RepairLab.open(object);
      const key = (await lab.keys(/pack-|index-|root$|manifests/))[object]!;
      await lab.damageObject(key, how);
      let found = 0;
      for (const entry of lab.entries) {
        const report = await lab.verify(entry).catch(() => undefined);
        found += report?.damage.length ?? 0;
      }
      lab.change(5);
      const task = new RecordingTask();
      const repaired = await lab.backUp(task);
      await requireWhole(t, lab, repaired, key);
      kinds[repaired.manifest.parent ? 'incremental' : 'full']++;
      lab.change(5);
      const later = await lab.backUp();
      t.truthy(later.manifest.parent, 'the chain goes on');
      t.is(later.manifest.statistics.uploadedBlocks, later.manifest.statistics.plannedBlocks);
      await requireWhole(t, lab, later, key);
      if (key.includes('pack-') || key.includes('index-')) {
        t.true(found > 0);
        t.truthy(repaired.manifest.parent, `${key} is repaired by an incremental`);
      }
      for (const record of lab.lab.damage.of(lab.lab.repository.id, lab.lab.volume.id)) {
        t.not(record.repairedBy, null, 'nothing is left to repair');
      }
    }
    t.log(kinds);
    t.true(kinds.incremental >= 6);
  });
}

test('a repair uploads the blocks of the damaged pack again, and says so', async (t) => {
  const lab = await RepairLab.open();
  const [pack] = await lab.keys(/pack-/);
  const unhurt = lab.entries.map(({ manifest }) => manifest.cloudsnapId);
  await lab.damageObject(pack!, 'altered');
  const [finding] = (await lab.verify(lab.entries[2]!)).damage;
  // One frame is wrong, but a pack that lost one may lose others: all of it is replaced.
  t.is(finding?.blockCount ?? 0, 1);
  const task = new RecordingTask();
  const repaired = await lab.backUp(task);
  const { statistics } = repaired.manifest;
  t.regex(
    task.notes.join(),
    /^\d+ blocks that are damaged in earlier cloudsnaps are uploaded again/,
  );
  t.true(statistics.uploadedBlocks > 200);
  t.is(statistics.unchangedBlocks, 0, 'nothing is taken from the damaged pack');
  const [record] = lab.lab.damage.of(lab.lab.repository.id, lab.lab.volume.id);
  t.is(record?.repairedBy, repaired.manifest.cloudsnapId);
  t.deepEqual(record?.cloudsnaps, finding?.cloudsnaps, 'what is damaged stays known as damaged');
  t.true(unhurt.includes(record!.cloudsnaps[0]!));
  t.is((await lab.backUp()).manifest.statistics.plannedBlocks, 0, 'once is enough');
});

test('a repair that fails, is stopped or killed is made up for by the next backup', async (t) => {
  const lab = await RepairLab.open();
  const [pack] = await lab.keys(/pack-/);
  await lab.damageObject(pack!, 'missing');
  await lab.verify(lab.entries[2]!);
  lab.lab.onStep = (name) => {
    if (name.includes('/root')) lab.lab.kill();
  };
  await t.throwsAsync(lab.lab.backup());
  lab.lab.onStep = () => {};
  await lab.lab.restart();
  const [record] = lab.lab.damage.of(lab.lab.repository.id, lab.lab.volume.id);
  t.is(record?.repairedBy, null);
  await requireWhole(t, lab, await lab.backUp(), 'after the kill');
});

test('a backup that meets damage in its own chain fails, and the next one repairs', async (t) => {
  for (const pattern of [/index-/, /root$/]) {
    const lab = await RepairLab.open();
    const key = (await lab.keys(pattern)).at(-1)!;
    await lab.damageObject(key, 'altered');
    for (let block = 0; block < BLOCKS; block += 50) lab.write(block);
    const error = await t.throwsAsync(lab.lab.backup(), { code: 'cloudsnap/corrupt' });
    t.regex(error.message, /damaged/);
    const task = new RecordingTask();
    const repaired = await lab.backUp(task);
    await requireWhole(t, lab, repaired, key);
    if (key.endsWith('root')) {
      t.is(repaired.manifest.fullReason, 'chain-damaged');
      t.regex(task.notes.join(), /full one because what it would build on is damaged/);
    } else t.truthy(repaired.manifest.parent);
  }
});

test('damage of earlier chains costs the present one nothing', async (t) => {
  const lab = await RepairLab.open();
  const keys = await lab.keys(/pack-|manifests/);
  const full = await lab.lab.backup({ full: true });
  for (const key of keys) {
    await lab.damageObject(key, 'altered');
    for (const entry of lab.entries) await lab.verify(entry);
  }
  t.true(lab.lab.damage.of(lab.lab.repository.id, lab.lab.volume.id).length >= 4);
  lab.change(3);
  const next = await lab.backUp();
  t.is(next.manifest.parent?.cloudsnapId, full.manifest.cloudsnapId);
  t.true(next.manifest.statistics.plannedBlocks <= 3);
});

test('damage found again in what a repair made is to be repaired again', async (t) => {
  const lab = await RepairLab.open();
  const [pack] = await lab.keys(/pack-/);
  const { damage, repository, volume } = lab.lab;
  await lab.damageObject(pack!, 'altered');
  const { damage: findings } = await lab.verify(lab.entries[2]!);
  const repaired = await lab.backUp();
  await lab.verify(lab.entries[1]!);
  t.is(damage.of(repository.id, volume.id)[0]?.repairedBy, repaired.manifest.cloudsnapId);
  const again = { repositoryId: repository.id, volumeId: volume.id, ...findings[0]! };
  damage.note({ ...again, cloudsnaps: [repaired.manifest.cloudsnapId] });
  t.is(damage.of(repository.id, volume.id)[0]?.repairedBy, null);
  const { cloudsnaps } = damage.of(repository.id, volume.id)[0]!;
  for (const cloudsnapId of cloudsnaps) damage.clear(repository.id, cloudsnapId);
  t.deepEqual(damage.of(repository.id, volume.id), [], 'nothing is hurt any more');
});
