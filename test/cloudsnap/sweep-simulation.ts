import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { CloudvolError, hasCode, messageOf } from '../../src/base/errors.ts';
import { newClusterId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom, type SeededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { findUnfinishedUpload } from '../../src/cloudsnap/unfinished-upload.ts';
import { FaultStore, type FaultPlan } from '../../src/store/layers/faults.ts';
import { RetryStore } from '../../src/store/layers/retry.ts';
import { seededFaults } from '../../src/store/layers/seeded-faults.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { instantClock } from '../model/instant-clock.ts';
import { MortalStore } from '../model/mortal-store.ts';
import { withoutIds } from '../model/without-ids.ts';
import { BLOCK, ModelImage, contentOf, differingBlocks } from './cloudsnap-lab.ts';
import { PausingStore } from './pausing-store.ts';

const never = new AbortController().signal;
const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;
const BLOCKS = 8;
const PACK_BYTES = 2 * BLOCK;
const RATES = { error: 0.05, 'lost-answer': 0.03, truncate: 0.01, garble: 0.01 };
/** Requests within which a process falls asleep; most operations make fewer than half as many. */
const REQUESTS_OF_AN_OPERATION = 20;
/** After the last look, and before what cannot be taken back. */
const DECISIVE = /^put .*\/manifests\/|^delete /;
/** A process that is killed meanwhile does nothing any more, nor does what it was told to do. */
const KILLED = 'killed';

/** A host: one process of it after the other. */
interface Host {
  readonly name: string;
  readonly journalPath: string;
  repository: CloudsnapRepository;
  way: PausingStore;
  mortal: MortalStore;
  asleep: { readonly at: string; readonly outcome: Promise<string> } | undefined;
}

/**
 * Two hosts and a volume that both think theirs, over a store that fails: uploads that go on where
 * they were cut off, deletions, sweeps; processes fall asleep right before any request, for days,
 * wake in a world that went on without them, or are killed. What was published and is not deleted
 * keeps all its objects, whatever is visible is right, and in the end nothing else is there.
 */
export class SweepSimulation {
  readonly tally = new Map<string, number>();
  readonly story: string[] = [];
  readonly #random: SeededRandom;
  readonly #disk: MemoryStore;
  readonly #time: { ms: number };
  readonly #store: ObjectStore;
  readonly #faults = { on: true };
  readonly #clusterId = newClusterId();
  readonly #image = new ModelImage(BLOCKS);
  readonly #hosts: Host[] = [];
  /** What each cloudsnap may hold: one that goes on is frozen anew. */
  readonly #images = new Map<string, Uint8Array[]>();
  readonly #published = new Map<string, CloudsnapEntry>();
  /** Somebody has tried to delete it: it may be there, or not. */
  readonly #doomed = new Set<string>();
  readonly #deleted = new Set<string>();
  #instants = 0;

  private constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#time = { ms: Date.UTC(2024, 0, 1) };
    const clock: Clock = { nowMs: () => this.#time.ms, sleep: async () => {} };
    this.#disk = new MemoryStore({ clock });
    const seeded = seededFaults({ seed, rates: RATES });
    const plan: FaultPlan = (request) =>
      this.#faults.on ? seeded({ ...request, key: withoutIds(request.key) }) : { kind: 'none' };
    const policy = { maxAttempts: 2, baseDelayMs: 1, maxDelayMs: 1 };
    const faulty = new FaultStore(this.#disk, { plan, clock });
    this.#store = new RetryStore(faulty, { clock, random: () => 0, policy });
  }

  static async open(seed: number, directory: string): Promise<SweepSimulation> {
    const simulation = new SweepSimulation(seed);
    for (const name of ['first', 'second']) {
      mkdirSync(join(directory, name), { recursive: true });
      const journalPath = join(directory, name, 'uploads', 'journal');
      simulation.#hosts.push({ name, journalPath, ...(await simulation.#process(name)) });
    }
    return simulation;
  }

  async run(operations: number): Promise<void> {
    for (let operation = 0; operation < operations; operation++) {
      await this.#step();
      await this.#check();
    }
  }

  /** Everybody wakes, the store is well again: then two sweeps leave what is visible. */
  async finish(): Promise<void> {
    this.#faults.on = false;
    for (const host of this.#hosts) {
      if (host.asleep) await this.#wake(host);
      rmSync(host.journalPath, { force: true });
    }
    await this.#check();
    const host = this.#hosts[0]!;
    Object.assign(host, await this.#process(host.name));
    await host.repository.own(this.#image.id, { takeover: true }, never);
    // An orphan goes after its parent, and what is laid over it after that.
    for (let round = 0; round < 4; round++) {
      this.#time.ms += 8 * DAY_MS;
      await host.repository.finishDeletions(this.#place, never);
      await host.repository.sweep({ keep: new Set(), dryRun: false }, never);
    }
    await this.#check();
    await this.#requireTidy(host.repository);
  }

  get #place() {
    return { clusterId: this.#clusterId, volumeId: this.#image.id };
  }

  async #process(hostId: string) {
    const way = new PausingStore(this.#store);
    const mortal = new MortalStore(way, () => {});
    const repository = await openRepository({
      store: mortal,
      clusterId: this.#clusterId,
      clock: instantClock(),
      log: silentLog,
      hostId,
      packTargetBytes: PACK_BYTES,
    });
    return { way, mortal, repository, asleep: undefined };
  }

  async #step(): Promise<void> {
    const host = this.#hosts[this.#random.below(this.#hosts.length)]!;
    if (this.#random.chance(0.3)) this.#time.ms += this.#random.below(3 * DAY_MS);
    if (host.asleep) {
      if (this.#random.chance(0.6)) await this.#wake(host);
      else await this.#kill(host);
      return;
    }
    const dice = this.#random.next();
    if (dice < 0.5) await this.#sometimesAsleep(host, 'upload', () => this.#upload(host));
    else if (dice < 0.65) await this.#sometimesAsleep(host, 'delete', () => this.#delete(host));
    else if (dice < 0.95) await this.#sometimesAsleep(host, 'sweep', () => this.#sweep(host));
    else await this.#kill(host);
  }

  async #sometimesAsleep(host: Host, name: string, work: () => Promise<string>): Promise<void> {
    const outcome = work.call(this).then(
      (done) => this.#note(`${name}: ${done}`, host),
      (error: unknown) => this.#note(`${name}: ${failureOf(error)}`, host),
    );
    if (!this.#random.chance(0.5)) {
      await outcome;
      return;
    }
    const asleep = this.#random.chance(0.5)
      ? host.way.pauseAt(1 + this.#random.below(REQUESTS_OF_AN_OPERATION))
      : host.way.pauseAt(1, (request) => DECISIVE.test(request));
    const at = await Promise.race([asleep, outcome.then(() => undefined)]);
    if (at === undefined) host.way.wake();
    else {
      host.asleep = { at, outcome };
      this.#note(`${name}: asleep`, host, withoutIds(at));
    }
  }

  async #wake(host: Host): Promise<void> {
    const { asleep } = host;
    host.asleep = undefined;
    host.way.wake();
    await asleep?.outcome;
  }

  /**
   * What was on its way arrives. A removal does not: it may be one that a child, which
   * nobody was told of, has made void.
   */
  async #kill(host: Host): Promise<void> {
    const { asleep, way, mortal } = host;
    mortal.die();
    this.#note(asleep ? 'killed asleep' : 'killed', host);
    if (asleep && !asleep.at.startsWith('delete ')) {
      way.wake();
      await asleep.outcome;
    }
    Object.assign(host, await this.#process(host.name));
  }

  async #upload(host: Host): Promise<string> {
    const { repository, journalPath } = host;
    const visible = await repository.list({ volumeId: this.#image.id });
    const tip = visible.at(-1);
    this.#image.change(this.#random, 3);
    const content = this.#image.bytes.slice();
    const known = tip && this.#images.get(tip.manifest.cloudsnapId)?.at(-1);
    const parent = tip && known && this.#random.chance(0.6) ? tip : null;
    const blocks = parent ? differingBlocks(content, known!) : [...Array(BLOCKS).keys()];
    const plan = {
      volume: {
        id: this.#image.id,
        name: 'database',
        geometry: this.#image.geometry,
        fileSystem: 'ext4',
        labels: {},
      },
      parent,
      fullReason: parent ? null : 'first',
      createdMs: ++this.#instants,
      type: 'Manual',
      consistency: 'crash',
      plannedBlocks: blocks.length,
    } as const;
    const writer = await repository.begin(plan, never, { journalPath });
    const images = this.#images.get(writer.cloudsnapId) ?? [];
    this.#images.set(writer.cloudsnapId, [...images, content]);
    try {
      for (const block of blocks) {
        await writer.writeBlocks(block, content.subarray(block * BLOCK, (block + 1) * BLOCK));
      }
      const entry = await writer.commit();
      this.#published.set(writer.cloudsnapId, entry);
      this.#images.set(writer.cloudsnapId, [content]);
      return 'done';
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  async #delete({ repository }: Host): Promise<string> {
    const visible = await repository.list({ volumeId: this.#image.id });
    const entry = visible[this.#random.below(visible.length)];
    if (!entry) return 'nothing there';
    const { cloudsnapId } = entry.manifest;
    if ((await repository.dependants(entry)).length > 0) return 'refused';
    const isNews = !this.#doomed.has(cloudsnapId);
    this.#doomed.add(cloudsnapId);
    try {
      await repository.delete(entry);
      this.#deleted.add(cloudsnapId);
      return 'done';
    } catch (error) {
      const isRefused = hasCode(error, 'cloudsnap/has-dependants');
      if (isRefused && isNews) this.#doomed.delete(cloudsnapId);
      throw error;
    }
  }

  async #sweep({ repository, journalPath }: Host): Promise<string> {
    const head = await findUnfinishedUpload(journalPath, 0);
    const keep = new Set(head ? [head.cloudsnapId.split('/')[1]!] : []);
    const takeover = this.#random.chance(0.3);
    const { leftovers } = await repository.sweep({ keep, dryRun: false, takeover }, never);
    for (const { outcome } of leftovers) this.#count(`leftover ${outcome}`);
    return 'done';
  }

  /** By the store as it is, without faults: what is visible, and what was published. */
  async #check(): Promise<void> {
    const repository = await this.#honest();
    const entries = new Map<string, CloudsnapEntry>();
    for (const [id, entry] of this.#published) if (!this.#doomed.has(id)) entries.set(id, entry);
    for (const entry of await repository.list({})) entries.set(entry.manifest.cloudsnapId, entry);
    for (const [id, entry] of entries) {
      const content = await contentOf(repository, entry);
      const isRight = (this.#images.get(id) ?? []).some(
        (image) => differingBlocks(content, image).length === 0,
      );
      assert(isRight, `${withoutIds(id)} is another than it was`);
      this.#count('published cloudsnaps read');
    }
  }

  async #requireTidy(repository: CloudsnapRepository): Promise<void> {
    const visible = new Set((await repository.list({})).map((each) => each.manifest.cloudsnapId));
    for (const id of this.#published.keys()) {
      if (!this.#doomed.has(id)) assert(visible.has(id), `${withoutIds(id)} is not visible`);
      if (this.#deleted.has(id)) assert(!visible.has(id), `${withoutIds(id)} is there again`);
    }
    for await (const { key } of this.#disk.list(`${this.#clusterId}/`)) {
      const name = key.split('/')[1]!;
      assert(!name.startsWith('sweep-'), key);
      if (!/^[0-9]/.test(name)) continue;
      assert(visible.has(`${this.#clusterId}/${name}`), `${withoutIds(key)} is left over`);
    }
  }

  #honest(): Promise<CloudsnapRepository> {
    const clock = instantClock();
    return openRepository({ store: this.#disk, clusterId: this.#clusterId, clock, log: silentLog });
  }

  #note(what: string, host: Host, more = ''): string {
    this.#count(what);
    this.story.push(`${host.name}: ${what} ${more}`);
    return what;
  }

  #count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }
}

/** Anything but a sentence of cloudvol is a defect. */
function failureOf(error: unknown): string {
  if (error instanceof CloudvolError) return error.code;
  if (messageOf(error) === 'the process is dead') return KILLED;
  throw error;
}
