import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { runBackup } from '../../src/backup/run-backup.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { parseAgentConfig } from '../../src/config/agent-config.ts';
import { ControlClient } from '../../src/control/client.ts';
import type { TaskView } from '../../src/control/schemas.ts';
import type { Domain } from '../../src/daemon/domain.ts';
import { startAgent } from '../../src/daemon/start-agent.ts';
import { openChainSource } from '../../src/restore/chain-source.ts';
import { hydrate } from '../../src/restore/hydrate.ts';
import { MetricsStore } from '../../src/store/layers/metrics.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { Volume } from '../../src/volume/volume.ts';
import type { VolumeCatalog } from '../../src/volume/volume-catalog.ts';
import { DiskLab, readAll } from '../volume/disk-lab.ts';

const BLOCK = 4096;
const BLOCKS = 64;

/** An agent with real volumes and a store whose puts wait until the test lets them go. */
class QueueLab {
  readonly client: ControlClient;
  readonly #disk: DiskLab;
  readonly #store = new MemoryStore({ clock: systemClock });
  #gate = Promise.withResolvers<void>();
  #volumes: VolumeCatalog | undefined;
  #repository: CloudsnapRepository | undefined;

  private constructor(t: ExecutionContext, socketPath: string) {
    this.#disk = new DiskLab(t);
    this.client = new ControlClient(socketPath);
    const put = this.#store.put.bind(this.#store);
    this.#store.put = async (key, body, options) => {
      await Promise.race([this.#gate.promise, aborted(options?.signal)]);
      return put(key, body, options);
    };
  }

  static async open(t: ExecutionContext): Promise<QueueLab> {
    const directory = mkdtempSync(join(tmpdir(), 'cloudvol-queue-'));
    const paths = ['--state-dir', `${directory}/state`, '--runtime-dir', `${directory}/run`];
    const config = parseAgentConfig(paths, {});
    const lab = new QueueLab(t, config.socketPath);
    const parts = { clock: systemClock, log: silentLog };
    const agent = await startAgent({ config, domain: lab.#domain(), ...parts });
    t.teardown(async () => {
      lab.letGo();
      await agent.close();
      rmSync(directory, { recursive: true, force: true });
    });
    const sizeBytes = BLOCKS * BLOCK;
    const shape = { name: 'v', sizeBytes, blockBytes: BLOCK, fileSystem: 'none' } as const;
    await lab.client.call('createVolume', shape);
    return lab;
  }

  get volume(): Volume {
    return this.#volumes!.find('v');
  }

  /** Puts go through from now on. */
  letGo(): void {
    this.#gate.resolve();
  }

  holdBack(): void {
    this.#gate = Promise.withResolvers();
  }

  /** Blocks that this version of the data alone has, and one that every version has. */
  async write(version: number): Promise<Uint8Array> {
    const block = new Uint8Array(BLOCK).fill(version);
    for (const index of [0, version, 2 * version]) await this.volume.write(index * BLOCK, block);
    return await readAll(this.volume);
  }

  backup(): Promise<TaskView> {
    return this.client.call('backup', { volume: 'v' });
  }

  ended(task: TaskView): Promise<TaskView> {
    return this.client.call('waitForTask', { task: task.id, waitMs: 20_000 });
  }

  /** What a restore of the cloudsnap gives. */
  async imageOf(cloudsnapId: string): Promise<Uint8Array> {
    const entry = await this.#repository!.find(cloudsnapId);
    const parts = { repository: this.#repository!, entry, clock: systemClock, log: silentLog };
    const source = await openChainSource(parts);
    const image = new Uint8Array(BLOCKS * BLOCK);
    const all = { firstBlock: 0, blockCount: BLOCKS };
    for (const run of await source.readBlocks(all, { priority: 'demand' })) {
      if (run.data) image.set(run.data, run.firstBlock * BLOCK);
    }
    await source.close();
    return image;
  }

  #domain(): Domain {
    return {
      openVolumes: async () => (this.#volumes = await this.#disk.open()),
      openStore: async () => {
        const metrics = new MetricsStore(this.#store);
        return Object.assign(metrics, { metrics: () => metrics.snapshot() });
      },
      openRepository: async (store, clusterId) =>
        (this.#repository = await openRepository({
          store,
          clusterId,
          clock: systemClock,
          log: silentLog,
        })),
      openCatalog: async () => {
        const nothing = async function* (): AsyncGenerator<never> {};
        return { list: nothing, pack: nothing, close: async () => {} };
      },
      recipes: {
        runBackup,
        openChainSource: (repository, entry) =>
          openChainSource({ repository, entry, clock: systemClock, log: silentLog }),
        hydrate: (target, source, task) => hydrate(target, source, {}, task),
        hydrateLazily: (target, source, task) => hydrate(target, source, {}, task),
      },
    };
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

test('a backup that waits is of the moment at which it was asked for', async (t) => {
  const lab = await QueueLab.open(t);
  const images: Uint8Array[] = [];
  const tasks: TaskView[] = [];
  for (let version = 1; version <= 6; version++) {
    images.push(await lab.write(version));
    tasks.push(await lab.backup());
  }
  t.deepEqual(
    tasks.map(({ state }) => state),
    ['Active', ...Array.from({ length: 5 }, () => 'Queued')],
  );
  await lab.write(7);
  await t.throwsAsync(lab.backup(), {
    code: 'task/queue-full',
    message: 'no room for a backup of volume v: 5 are waiting already',
  });
  lab.letGo();
  const ended = await Promise.all(tasks.map((task) => lab.ended(task)));
  t.deepEqual(
    ended.map(({ state }) => state),
    Array.from({ length: 6 }, () => 'Done'),
  );
  for (const [index, { cloudsnapId }] of ended.entries()) {
    t.is(cloudsnapId.endsWith('-incr'), index > 0, cloudsnapId);
    t.deepEqual(await lab.imageOf(cloudsnapId), images[index], `version ${index + 1}`);
  }
  // Each took what changed since the one before, and nothing that came after it.
  t.deepEqual(
    ended.slice(1).map(({ result }) => result['plannedBlocks']),
    Array.from({ length: 5 }, () => 3),
  );
  // The seventh in a row is an incremental, the eighth a full again, of what came last.
  const last = await readAll(lab.volume);
  const seventh = await lab.ended(await lab.backup());
  const eighth = await lab.ended(await lab.backup());
  t.true(seventh.cloudsnapId.endsWith('-incr'));
  t.false(eighth.cloudsnapId.endsWith('-incr'));
  t.deepEqual(await lab.imageOf(eighth.cloudsnapId), last);
});

test('what is stopped in the queue or at work leaves chain and bits as they were', async (t) => {
  const lab = await QueueLab.open(t);
  lab.letGo();
  await lab.write(1);
  t.is((await lab.ended(await lab.backup())).state, 'Done');
  const [tip] = lab.volume.file.current.chains;
  lab.holdBack();
  await lab.write(2);
  const active = await lab.backup();
  await lab.write(3);
  const queued = await lab.backup();
  const image = await lab.write(4);
  const kept = await lab.backup();
  await lab.write(5);
  for (const { id } of [queued, active]) {
    t.is((await lab.client.call('stopTask', { task: id })).state, 'Stopped');
  }
  t.deepEqual(lab.volume.file.current.chains, [tip!]);
  lab.letGo();
  const { state, cloudsnapId, result } = await lab.ended(kept);
  t.is(state, 'Done');
  t.true(cloudsnapId.endsWith('-incr'));
  t.deepEqual(await lab.imageOf(cloudsnapId), image);
  // 0, 2, 4, 3, 6, 8: what the stopped ones would have taken as well.
  t.is(result['plannedBlocks'], 6);
  // Stopped ones hold no instant any more: six more find room.
  lab.holdBack();
  for (let count = 0; count < 6; count++) await lab.backup();
});

test('what was stopped in the queue is in the history', async (t) => {
  const lab = await QueueLab.open(t);
  await lab.write(1);
  const [active, queued] = [await lab.backup(), await lab.backup()];
  await lab.client.call('stopTask', { task: queued.id });
  await lab.client.call('stopTask', { task: active.id });
  const history = await lab.client.call('listTasks', { history: true });
  t.deepEqual(
    history.map(({ id, state }) => [id, state]),
    [
      [active.id, 'Stopped'],
      [queued.id, 'Stopped'],
    ],
  );
});
