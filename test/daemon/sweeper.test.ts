import test from 'ava';

import { silentLog } from '../../src/base/log.ts';
import { Sqlite } from '../../src/base/sqlite.ts';
import type { CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { CLEANUP_TABLES_SQL, CleanupTable } from '../../src/daemon/cleanup/cleanup-table.ts';
import { Cleaner, type CleanerDeps } from '../../src/daemon/cleanup/cleaner.ts';
import { Sweeper, type SweeperDeps } from '../../src/daemon/cleanup/sweeper.ts';
import { SerialByKey } from '../../src/daemon/serial-by-key.ts';
import { ManualClock } from '../base/manual-clock.ts';

const HOUR_MS = 3_600_000;
const NOTHING = { leftovers: [], listedObjects: 0, trialObjects: 0 };

/** An agent's background work over one repository that does as it is told. */
class CleanupLab {
  readonly clock = new ManualClock();
  readonly table = new CleanupTable(Sqlite.open(':memory:', [CLEANUP_TABLES_SQL]));
  readonly calls: string[] = [];
  readonly volumes: { readonly id: string }[] = [];
  failure: Error | undefined;
  unfinished = 0;

  #call<T>(name: string, answer: T): Promise<T> {
    this.calls.push(name);
    return this.failure ? Promise.reject(this.failure) : Promise.resolve(answer);
  }

  get deps(): CleanerDeps & SweeperDeps {
    const repository: Partial<CloudsnapRepository> = {
      id: 'bucket',
      sweep: () => this.#call('sweep', NOTHING),
      finishDeletions: ({ volumeId }) => this.#call(`finish ${volumeId}`, this.unfinished),
      discardUpload: (snapName) => this.#call(`discard ${snapName}`, undefined),
    };
    const parts = {
      table: this.table,
      credentials: { list: () => [{ id: 'credential' }] },
      repositories: { open: async () => repository },
      volumes: { list: () => this.volumes },
      serial: new SerialByKey(),
      clock: this.clock,
      log: silentLog,
      intervalMs: 24 * HOUR_MS,
      random: () => 0.5,
    };
    return parts as unknown as CleanerDeps & SweeperDeps;
  }

  /** Lets so much time pass, and all that is done in it. */
  async pass(ms: number): Promise<number> {
    const before = this.calls.length;
    for (let left = ms; left > 0; left -= 60_000) {
      await this.clock.untilSleeping();
      await this.clock.advance(Math.min(left, 60_000));
    }
    await this.clock.untilSleeping();
    return this.calls.length - before;
  }
}

test('a repository is swept once in an interval, also when the agent restarts often', async (t) => {
  const lab = new CleanupLab();
  for (let restart = 0; restart < 8; restart++) {
    const sweeper = new Sweeper(lab.deps);
    sweeper.start();
    await lab.pass(6 * HOUR_MS);
    await sweeper.close();
  }
  // After half an interval, and after a whole one from then on.
  t.deepEqual(lab.calls, ['sweep', 'sweep']);
});

test('a sweep that failed is tried again within the hour', async (t) => {
  const lab = new CleanupLab();
  const sweeper = new Sweeper(lab.deps);
  t.teardown(() => sweeper.close());
  sweeper.start();
  lab.failure = new Error('the store is away');
  t.is(await lab.pass(12.5 * HOUR_MS), 1);
  t.is(await lab.pass(HOUR_MS / 2), 1);
  lab.failure = undefined;
  t.is(await lab.pass(HOUR_MS), 1);
  t.is(await lab.pass(20 * HOUR_MS), 0);
});

test('an interval of zero means no sweep', async (t) => {
  const lab = new CleanupLab();
  const sweeper = new Sweeper({ ...lab.deps, intervalMs: 0 });
  sweeper.start();
  t.is(lab.clock.sleeping, 0);
  await sweeper.close();
  t.deepEqual(lab.calls, []);
});

const deletionOf = (volumeId: string) =>
  ({ kind: 'deletion', repositoryId: 'bucket', clusterId: 'c', volumeId, snapName: '' }) as const;

test('a removal that fails or is not finished is tried again, ever more seldom', async (t) => {
  const lab = new CleanupLab();
  const cleaner = new Cleaner(lab.deps);
  t.teardown(() => cleaner.close());
  lab.failure = new Error('the store is away');
  cleaner.note(deletionOf('1'));
  cleaner.start();
  const inFirst = await lab.pass(HOUR_MS);
  t.true(inFirst > 5 && inFirst < 20, `${inFirst}`);
  lab.failure = undefined;
  lab.unfinished = 1;
  t.true((await lab.pass(HOUR_MS)) < inFirst);
  lab.unfinished = 0;
  t.is(await lab.pass(HOUR_MS), 1);
  t.deepEqual(lab.table.list(), []);
  t.is(await lab.pass(HOUR_MS), 0);
});

test('what is noted while a removal is under way is seen to after it', async (t) => {
  const lab = new CleanupLab();
  const cleaner = new Cleaner(lab.deps);
  t.teardown(() => cleaner.close());
  cleaner.note(deletionOf('1'));
  cleaner.start();
  cleaner.note(deletionOf('1'));
  cleaner.note(deletionOf('2'));
  cleaner.wake();
  await lab.pass(60_000);
  t.deepEqual([...new Set(lab.calls)], ['finish 1', 'finish 2']);
  t.deepEqual(lab.table.list(), []);
});

test('an upload is discarded only when its volume is gone', async (t) => {
  const lab = new CleanupLab();
  const cleaner = new Cleaner(lab.deps);
  t.teardown(() => cleaner.close());
  lab.volumes.push({ id: '1' });
  cleaner.note({ ...deletionOf('1'), kind: 'upload', snapName: '1-1' });
  cleaner.note({ ...deletionOf('2'), kind: 'upload', snapName: '2-1' });
  cleaner.note({ ...deletionOf('3'), repositoryId: 'another bucket' });
  cleaner.start();
  await lab.pass(60_000);
  t.deepEqual(lab.calls, ['discard 2-1']);
  t.deepEqual(lab.table.list(), [], 'what no credential leads to is given up');
});
