import type { Clock } from '../../src/base/clock.ts';
import { CloudvolError, messageOf } from '../../src/base/errors.ts';
import { type SeededRandom, seededRandom } from '../../src/base/seeded-random.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { DeadlineStore } from '../../src/store/layers/deadline.ts';
import { type FaultPlan, FaultStore } from '../../src/store/layers/faults.ts';
import { LimitStore } from '../../src/store/layers/limit.ts';
import { MetricsStore } from '../../src/store/layers/metrics.ts';
import { RetryStore } from '../../src/store/layers/retry.ts';
import { type FaultRates, seededFaults } from '../../src/store/layers/seeded-faults.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { MAX_REQUESTS } from '../../src/store/open-store.ts';
import { isExpectedFailure } from './expected-failure.ts';
import { IdleClock } from './idle-clock.ts';
import { instantClock } from './instant-clock.ts';
import { Lab } from './lab.ts';
import { changeAtRandom, changeManyAtRandom } from './random-changes.ts';
import { RecordingTask } from './recording-task.ts';
import type { Tally } from './simulation.ts';
import { withoutIds } from './without-ids.ts';

/** Bodies are only received by a get: what else goes wrong has its share elsewhere. */
const GET_RATES = { error: 0.05, 'lost-answer': 0.04, hang: 0.03, truncate: 0.04, garble: 0.04 };
const OTHER_RATES = { error: 0.08, 'lost-answer': 0.08, hang: 0.04 };
/** Of all requests, whatever they are. */
export const FAULT_RATE = sumOf(GET_RATES);
/** Fewer than in earnest, so that requests fail for good now and then: 0.8 % of them. */
const STORE_ATTEMPTS = 3;
/** Eight blocks: a cloudsnap has several packs. */
const PACK_BYTES = 8 * 4096;
/** Steps of a backup within which it is stopped or killed. */
const STEPS_OF_A_BACKUP = 80;
const never = new AbortController().signal;

export interface CampaignOptions {
  readonly seed: number;
  readonly backups: number;
  /** One repository in each. */
  readonly disks: readonly ObjectStore[];
  /** Default: injected faults, as FaultStore knows them. */
  readonly way?: CampaignWay;
}

/** What lies between the campaign and its stores. */
export interface CampaignWay {
  wrap(store: ObjectStore): ObjectStore;
  /** Switches the faults, which are off to begin with. */
  setFaults(on: boolean): void;
  /** Told of every step that gets through. */
  onStep?(): void;
}

/**
 * Backups over stores where every fifth request goes wrong in one of all the ways that FaultStore
 * knows, through the layers of a real store. After each backup, made or failed, every cloudsnap
 * that has become visible is restored without faults and compared byte by byte with what the
 * volume held at its instant. Restores, verifications, deletions, stops and kills go on in between.
 * @throws an Error that begins with the seed and the number of the backup
 */
export async function runCampaign(options: CampaignOptions): Promise<Tally> {
  const campaign = await FaultCampaign.open(options);
  for (let backup = 1; backup <= options.backups; backup++) {
    try {
      await campaign.round();
    } catch (error) {
      throw new Error(`seed ${options.seed}, backup ${backup}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
  await campaign.finish();
  return campaign.tally;
}

class FaultCampaign {
  readonly tally: Tally = new Map();
  readonly #random: SeededRandom;
  readonly #way: CampaignWay;
  readonly #lab: Lab;
  /** Cloudsnaps that were compared, by id: they never change. */
  readonly #compared = new Set<string>();

  private constructor(random: SeededRandom, lab: Lab, way: CampaignWay, tally: Tally) {
    this.#random = random;
    this.#lab = lab;
    this.#way = way;
    this.tally = tally;
  }

  static async open({ seed, disks, way }: CampaignOptions): Promise<FaultCampaign> {
    const tally: Tally = new Map();
    const faulty = way ?? injectedFaults(seed, tally);
    const wrap = (store: ObjectStore) => faulty.wrap(store);
    const lab = await Lab.open({ disks, packTargetBytes: PACK_BYTES, wrap });
    lab.onStep = () => faulty.onStep?.();
    const random = seededRandom(seed);
    changeManyAtRandom(lab.volume, random, 20);
    return new FaultCampaign(random, lab, faulty, tally);
  }

  async round(): Promise<void> {
    changeManyAtRandom(this.#lab.volume, this.#random, 1 + this.#random.below(12));
    this.#way.setFaults(true);
    const dice = this.#random.next();
    if (dice < 0.25)
      await this.#onSome('restore', (entry, from) => this.#requireRight(entry, from));
    else if (dice < 0.4) await this.#onSome('verify', (entry, from) => this.#verify(entry, from));
    else if (dice < 0.5)
      await this.#onSome('delete', (entry, from) => from.delete(entry), 'newest');
    else if (dice < 0.53) await this.#lab.restart('power-cut');
    await this.#backup(this.#random.below(this.#lab.repositories.length));
    await this.#requireAllRight();
  }

  /** Without faults: a backup takes everything that failed ones did not, and nothing is damaged. */
  async finish(): Promise<void> {
    this.#way.setFaults(false);
    await this.#lab.restart();
    for (const repository of this.#lab.repositories) {
      await this.#lab.backup({ repository });
      this.#compared.clear();
      for (const entry of await this.#lab.visible(repository)) {
        await this.#verify(entry, repository);
        this.#count('point verified');
      }
    }
    await this.#requireAllRight();
  }

  async #backup(index: number): Promise<void> {
    const repository = this.#lab.repositoryAt(index);
    const task = new RecordingTask();
    const fate = this.#random.next();
    const full = fate > 0.95;
    const isKilled = fate < 0.1;
    const isStopped = fate >= 0.1 && fate < 0.2;
    let left = this.#random.below(STEPS_OF_A_BACKUP);
    const onStep = this.#lab.onStep;
    this.#lab.onStep = (name) => {
      onStep(name);
      if (this.#random.chance(0.1)) changeAtRandom(this.#lab.volume, this.#random);
      if (left-- !== 0) return;
      if (isStopped) task.stop(new CloudvolError('task/stopped', 'stopped by the campaign'));
      if (isKilled) this.#lab.kill();
    };
    const ending = isKilled ? ' to be killed' : isStopped ? ' to be stopped' : '';
    await this.#outcome(`backup${ending}`, this.#lab.backup({ repository, full }, task));
    this.#lab.onStep = onStep;
    this.#require(this.#lab.volume.openViews === 0, 'a view stayed open');
    if (isKilled) await this.#lab.restart();
  }

  async #onSome(
    what: string,
    work: (entry: CloudsnapEntry, repository: CloudsnapRepository) => Promise<void>,
    // Of the others most are needed by later ones.
    which: 'any' | 'newest' = 'any',
  ): Promise<void> {
    const repository = this.#lab.repositoryAt(this.#random.below(this.#lab.repositories.length));
    await this.#outcome(
      what,
      repository.list({}).then(async (visible) => {
        const oldest = which === 'newest' ? Math.max(0, visible.length - 2) : 0;
        const entry = visible[oldest + this.#random.below(visible.length - oldest)];
        if (entry) await work(entry, repository);
      }),
    );
  }

  /** Nothing is damaged here: whatever a verification says of damage is a false alarm. */
  async #verify(entry: CloudsnapEntry, repository: CloudsnapRepository): Promise<void> {
    const percent = this.#random.chance(0.5) ? 100 : 30;
    const options = { percent, seed: this.#random.below(2 ** 32), onProgress: () => {} };
    const { cloudsnapId } = entry.manifest;
    const { damage } = await repository.verify(cloudsnapId, options, never);
    this.#require(damage.length === 0, `false alarm: ${JSON.stringify(damage)}`);
  }

  /** What is visible now and was not before, by a reader without faults. */
  async #requireAllRight(): Promise<void> {
    this.#way.setFaults(false);
    for (const repository of this.#lab.repositories) {
      for (const entry of await this.#lab.visible(repository)) {
        const { cloudsnapId } = entry.manifest;
        if (this.#compared.has(cloudsnapId)) continue;
        await this.#requireRight(entry, repository);
        this.#compared.add(cloudsnapId);
        this.#count('point compared');
      }
    }
  }

  async #requireRight(entry: CloudsnapEntry, repository: CloudsnapRepository): Promise<void> {
    const wrong = await this.#lab.wrongBlocks(entry, repository);
    const { cloudsnapId } = entry.manifest;
    this.#require(wrong.length === 0, `${cloudsnapId} differs in blocks ${wrong.join(' ')}`);
  }

  /** Done, or failed in a way that is one; a broken promise is neither. */
  async #outcome(operation: string, work: Promise<unknown>): Promise<void> {
    try {
      await work;
      this.#count(`${operation}: done`);
    } catch (error) {
      if (!isExpectedFailure(error)) throw error;
      this.#count(`${operation}: failed`);
    }
  }

  #count(what: string): void {
    count(this.tally, what);
  }

  #require(holds: boolean, otherwise: string): void {
    if (!holds) throw new Error(`broken promise: ${otherwise}`);
  }
}

/** Waits of retries take no time, and a call that hangs is cut as soon as nothing else happens. */
function injectedFaults(seed: number, tally: Tally): CampaignWay {
  const faults = { on: false };
  const reached: MetricsStore[] = [];
  const deadlines = new IdleClock(() => reached.some((store) => store.snapshot().inFlight > 0));
  const plan = faultPlan(seed, faults, tally, () => deadlines.sign());
  return {
    wrap(store) {
      const counted = new MetricsStore(store);
      reached.push(counted);
      const backend = new FaultStore(counted, { plan, clock: deadlines });
      return realLayers(backend, { clock: deadlines });
    },
    setFaults: (on) => (faults.on = on),
    onStep: () => deadlines.sign(),
  };
}

/** As openStore stacks them. */
export function realLayers(
  backend: ObjectStore,
  options: { readonly clock: Clock; readonly requestLimitMs?: number },
): ObjectStore {
  const metrics = new MetricsStore(backend);
  const deadline = new DeadlineStore(metrics, options);
  const limit = new LimitStore(deadline, { clock: options.clock, maxRequests: MAX_REQUESTS });
  return new RetryStore(limit, {
    clock: instantClock(),
    random: () => 0,
    policy: { maxAttempts: STORE_ATTEMPTS, baseDelayMs: 1, maxDelayMs: 1 },
  });
}

function faultPlan(
  seed: number,
  faults: { readonly on: boolean },
  tally: Tally,
  onRequest: () => void,
): FaultPlan {
  const gets = seededFaults({ seed, rates: GET_RATES });
  const others = seededFaults({ seed, rates: OTHER_RATES });
  return (request) => {
    onRequest();
    if (!faults.on) return { kind: 'none' };
    const decide = request.verb === 'get' ? gets : others;
    const fault = decide({ ...request, key: withoutIds(request.key) });
    count(tally, fault.kind === 'none' ? 'request' : `${fault.kind} of ${request.verb}`);
    return fault;
  };
}

function count(tally: Tally, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}

function sumOf(rates: FaultRates): number {
  return Object.values(rates).reduce((sum, rate) => sum + rate, 0);
}
