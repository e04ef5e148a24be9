import { CloudvolError } from '../../src/base/errors.ts';
import { type SeededRandom, seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { hydrate } from '../../src/restore/hydrate.ts';
import { type FaultPlan, FaultStore } from '../../src/store/layers/faults.ts';
import { RetryStore } from '../../src/store/layers/retry.ts';
import { seededFaults } from '../../src/store/layers/seeded-faults.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { isExpectedFailure } from './expected-failure.ts';
import { instantClock } from './instant-clock.ts';
import { Lab } from './lab.ts';
import type { HeldInstant } from '../../src/volume/volume-api.ts';
import { changeAtRandom, changeManyAtRandom } from './random-changes.ts';
import { RecordingTask } from './recording-task.ts';
import { withoutIds } from './without-ids.ts';

/** How often something happened; named after the operation and its outcome. */
export type Tally = Map<string, number>;

/** Store faults: 5 to 20 % of requests, by seed. */
const MIN_FAULTS = 0.05;
const MAX_FAULTS = 0.2;
/** Eight blocks: a cloudsnap has several packs, and one that is cut off something to go on with. */
const PACK_BYTES = 8 * 4096;
/** Few, so that a request fails for good now and then. */
const STORE_ATTEMPTS = 3;
/** Steps of a backup within which it is stopped or killed; most have fewer than half as many. */
const STEPS_OF_A_BACKUP = 80;

/**
 * The life of a volume as a seed has it: writes, trims, backups into two repositories while writes
 * go on, stops, crashes, power cuts, restores, lazy restores, hydration, deletions, over stores
 * that fail. Whatever is visible in the end, and whatever is restored on the way, must be what the
 * volume held at its instant.
 */
export async function simulate(seed: number, operations: number): Promise<Tally> {
  const simulation = await Simulation.open(seed);
  for (let i = 0; i < operations; i++) await simulation.step();
  await simulation.finish();
  return simulation.tally;
}

class Simulation {
  readonly tally: Tally = new Map();
  readonly #random: SeededRandom;
  readonly #lab: Lab;
  readonly #faults: { on: boolean };

  private constructor(random: SeededRandom, lab: Lab, faults: { on: boolean }) {
    this.#random = random;
    this.#lab = lab;
    this.#faults = faults;
  }

  static async open(seed: number): Promise<Simulation> {
    const random = seededRandom(seed);
    const faults = { on: false };
    const rate = MIN_FAULTS + random.next() * (MAX_FAULTS - MIN_FAULTS);
    const clock = instantClock();
    const seeded = seededFaults({
      seed,
      rates: { error: rate / 2, 'lost-answer': rate / 4, truncate: rate / 8, garble: rate / 8 },
    });
    const plan: FaultPlan = (request) =>
      faults.on ? seeded({ ...request, key: withoutIds(request.key) }) : { kind: 'none' };
    const lab = await Lab.open({
      disks: [new MemoryStore(), new MemoryStore()],
      packTargetBytes: PACK_BYTES,
      wrap: (store) =>
        new RetryStore(new FaultStore(store, { plan, clock }), {
          clock,
          random: () => 0,
          policy: { maxAttempts: STORE_ATTEMPTS, baseDelayMs: 1, maxDelayMs: 1 },
        }),
    });
    faults.on = true;
    return new Simulation(random, lab, faults);
  }

  async step(): Promise<void> {
    const dice = this.#random.next() * 100;
    if (dice < 80) changeAtRandom(this.#lab.volume, this.#random);
    else if (dice < 86) await this.#backup();
    else if (dice < 87) await this.#backupBoth();
    else if (dice < 88.5) await this.#stoppedBackup();
    else if (dice < 90.5) await this.#killedBackup();
    else if (dice < 91) await this.#powerCut();
    else if (dice < 92) await this.#queuedBackups();
    else if (dice < 94) await this.#restore();
    else if (dice < 96) await this.#read();
    else if (dice < 97.5) await this.#hydrate();
    else if (dice < 98) await this.#restoreLazily();
    else await this.#delete();
  }

  /** With a store that works again everything visible is restored and compared. */
  async finish(): Promise<void> {
    this.#faults.on = false;
    await this.#lab.restart();
    const { volume, repositories } = this.#lab;
    for (const repository of repositories) {
      await this.#lab.backup({ repository });
      const visible = await this.#lab.visible(repository);
      requireOneChildEach(visible);
      for (const entry of visible) await this.#compare(entry, repository);
      this.#count('point compared', visible.length);
    }
    if (volume.absentBlocks > 0 && this.#lab.source) {
      await hydrate(volume, this.#lab.source, {}, new RecordingTask());
    }
    this.#require(
      Buffer.compare(volume.localImage, volume.truth) === 0,
      'the volume does not hold what was written to it',
    );
  }

  async #backup(task = new RecordingTask()): Promise<boolean> {
    const { volume } = this.#lab;
    const index = this.#random.below(2);
    const full = this.#random.chance(0.05);
    const writer = this.#random.chance(0.5);
    const onStep = this.#lab.onStep;
    this.#lab.onStep = (name) => {
      onStep(name);
      if (writer && this.#random.chance(0.3)) changeAtRandom(this.#lab.volume, this.#random);
    };
    const repository = this.#lab.repositoryAt(index);
    const backup = this.#random.chance(0.3)
      ? volume.hold().then((held) => this.#lab.backup({ repository, full, held }, task))
      : this.#lab.backup({ repository, full }, task);
    const made = await this.#outcome(
      'backup',
      backup.then((entry) => {
        this.#require(entry.manifest.incrementals < 7, 'more than six incrementals in a row');
      }),
    );
    this.#lab.onStep = () => {};
    if (made && Number(task.results['reusedBlocks'] ?? 0) > 0) this.#count('backup went on');
    this.#require(volume.openViews === 0, 'a view stayed open');
    return made;
  }

  async #backupBoth(): Promise<void> {
    const { repositories } = this.#lab;
    await Promise.all(
      repositories.map((repository) =>
        this.#outcome('backup beside another', this.#lab.backup({ repository })),
      ),
    );
  }

  /** Their instants are taken one after another, and used in that order; one may be given up. */
  async #queuedBackups(): Promise<void> {
    const { volume } = this.#lab;
    const queue: HeldInstant[] = [];
    for (let count = 2 + this.#random.below(3); count > 0; count--) {
      queue.push(await volume.hold());
      changeAtRandom(volume, this.#random);
    }
    for (const held of queue) {
      const repository = this.#lab.repositoryAt(this.#random.below(2));
      if (this.#random.chance(0.2)) await held.release();
      else await this.#outcome('queued backup', this.#lab.backup({ repository, held }));
      changeAtRandom(volume, this.#random);
    }
    this.#require(volume.openViews === 0, 'a view stayed open');
  }

  async #stoppedBackup(): Promise<void> {
    const task = new RecordingTask();
    let left = this.#random.below(STEPS_OF_A_BACKUP);
    this.#lab.onStep = () => {
      if (left-- === 0) task.stop(new CloudvolError('task/stopped', 'stopped by the simulation'));
    };
    await this.#backup(task);
  }

  async #killedBackup(): Promise<void> {
    let left = this.#random.below(STEPS_OF_A_BACKUP);
    this.#lab.onStep = () => {
      if (left-- === 0) {
        this.#count('crash in a backup');
        this.#lab.kill();
      }
    };
    await this.#backup();
    await this.#lab.restart();
    this.#count('crash');
  }

  async #powerCut(): Promise<void> {
    await this.#lab.restart('power-cut');
    this.#count('crash');
  }

  async #restore(): Promise<void> {
    const chosen = await this.#anyVisible();
    if (!chosen) return;
    const { entry, repositoryIndex } = chosen;
    await this.#outcome('restore', this.#compare(entry, this.#lab.repositoryAt(repositoryIndex)));
  }

  async #restoreLazily(): Promise<void> {
    const chosen = await this.#anyVisible();
    if (!chosen) return;
    await this.#lab.source?.close();
    this.#lab.restoreLazily(chosen);
    this.#count('lazy restore');
  }

  async #read(): Promise<void> {
    const { volume } = this.#lab;
    const { blockBytes, blockCount } = volume.geometry;
    const extent = { firstBlock: this.#random.below(blockCount - 5), blockCount: 5 };
    const fetches = volume.absentBlocks > 0;
    const read = volume.read(extent).then((bytes) => {
      const offset = extent.firstBlock * blockBytes;
      const expected = volume.truth.subarray(offset, offset + bytes.length);
      this.#require(Buffer.compare(bytes, expected) === 0, 'a demand read saw wrong bytes');
    });
    await this.#outcome(fetches ? 'demand read' : 'read', read);
  }

  /** Hydrates until it is done, or stops somewhere on the way; writes go on beside it. */
  async #hydrate(): Promise<void> {
    const { volume, source } = this.#lab;
    if (!source || volume.absentBlocks === 0) return;
    const task = new RecordingTask();
    this.#lab.onStep = (name) => {
      if (name !== 'populate') return;
      changeManyAtRandom(volume, this.#random, 2);
      if (this.#random.chance(0.5)) task.stop(new CloudvolError('task/stopped', 'stopped'));
    };
    await this.#outcome('hydrate', hydrate(volume, source, {}, task));
    this.#lab.onStep = () => {};
  }

  async #delete(): Promise<void> {
    const chosen = await this.#anyVisible();
    if (!chosen) return;
    const { entry, repositoryIndex } = chosen;
    // What a volume still reads from may not go.
    const backing = this.#lab.backing?.entry.manifest.cloudsnapId;
    if (entry.manifest.cloudsnapId === backing) return;
    await this.#outcome('delete', this.#lab.repositoryAt(repositoryIndex).delete(entry));
  }

  async #anyVisible() {
    const repositoryIndex = this.#random.below(2);
    const repository = this.#lab.repositoryAt(repositoryIndex);
    let visible: CloudsnapEntry[] = [];
    await this.#outcome(
      'list',
      repository.list({}).then((entries) => (visible = entries)),
    );
    const entry = visible[this.#random.below(visible.length)];
    return entry && { entry, repositoryIndex };
  }

  async #compare(entry: CloudsnapEntry, repository = this.#lab.repository): Promise<void> {
    const wrong = await this.#lab.wrongBlocks(entry, repository);
    this.#require(
      wrong.length === 0,
      `${entry.manifest.cloudsnapId} differs in blocks ${wrong.join(' ')}`,
    );
  }

  /** Operations may fail for the store's sake, by a stop or a crash; nothing else may go wrong. */
  async #outcome(operation: string, work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      this.#count(`${operation} done`);
      return true;
    } catch (error) {
      if (!isExpectedFailure(error)) throw error;
      this.#count(`${operation} failed`);
      return false;
    }
  }

  #count(what: string, times = 1): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + times);
  }

  #require(holds: boolean, otherwise: string): void {
    if (!holds) throw new Error(`broken promise: ${otherwise}`);
  }
}

function requireOneChildEach(visible: readonly CloudsnapEntry[]): void {
  const parents = visible.flatMap(({ manifest }) => manifest.parent?.cloudsnapId ?? []);
  if (new Set(parents).size < parents.length) throw new Error('a cloudsnap has two children');
}
