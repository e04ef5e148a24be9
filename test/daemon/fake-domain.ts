import { CloudvolError } from '../../src/base/errors.ts';
import { geometryOf } from '../../src/base/geometry.ts';
import { newVolumeId, type ClusterId } from '../../src/base/ids.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import type {
  Domain,
  ManagedVolume,
  ManagedVolumes,
  NewVolume,
  OpenBacking,
  Recipes,
  VolumeBacking,
} from '../../src/daemon/domain.ts';
import { MetricsStore } from '../../src/store/layers/metrics.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { TaskContext } from '../../src/tasks/task-api.ts';
import type { BackingSource } from '../../src/volume/backing-source.ts';

/** A disk of volumes that outlives the agents that open it. */
export class FakeDomain implements Domain {
  readonly volumes: FakeVolume[] = [];
  /** Visible cloudsnaps by id; the value lists those that need it. */
  readonly cloudsnaps = new Map<string, string[]>();
  /** Each recipe's calls, for the test to end: first come, first served. */
  readonly backups = new Calls();
  readonly hydrations = new Calls();

  async openVolumes({ openBacking }: { openBacking: OpenBacking }): Promise<ManagedVolumes> {
    for (const volume of this.volumes) {
      if (volume.backing) volume.backingSource = openBacking(volume.backing);
    }
    return {
      create: async (wanted) => this.#add(wanted),
      createAbsent: async ({ backing, source, ...wanted }) => this.#add(wanted, backing, source),
      list: () => this.volumes.map(asManaged),
      find: (reference) => {
        const found = this.volumes.find(
          ({ id, attributes }) => id === reference || attributes.name === reference,
        );
        if (found) return asManaged(found);
        throw new CloudvolError('volume/not-found', `there is no volume ${reference}`);
      },
      delete: async ({ id }) => {
        this.volumes.splice(
          this.volumes.findIndex((volume) => volume.id === id),
          1,
        );
      },
      close: async () => {},
    };
  }

  async openCatalog(): ReturnType<Domain['openCatalog']> {
    const nothing = async function* (): AsyncGenerator<never> {};
    return { list: nothing, pack: nothing, close: async () => {} };
  }

  async openStore() {
    const metrics = new MetricsStore(new MemoryStore({ clock: systemClock }));
    return Object.assign(metrics, { metrics: () => metrics.snapshot() });
  }

  async openRepository(_store: unknown, clusterId: ClusterId): Promise<CloudsnapRepository> {
    const entryOf = (id: string) => fakeEntry(id, clusterId);
    const repository: Partial<CloudsnapRepository> = {
      id: 'memory',
      clusterId,
      list: async () => [...this.cloudsnaps.keys()].map(entryOf),
      find: async (id) => {
        if (this.cloudsnaps.has(id)) return entryOf(id);
        throw new CloudvolError('cloudsnap/not-found', `there is no cloudsnap ${id}`);
      },
      dependants: async ({ manifest }) =>
        (this.cloudsnaps.get(manifest.cloudsnapId) ?? []).map(entryOf),
      delete: async ({ manifest }) => {
        this.cloudsnaps.delete(manifest.cloudsnapId);
      },
      mark: async ({ manifest }) => {
        this.cloudsnaps.delete(manifest.cloudsnapId);
      },
      finishDeletions: async () => 0,
    };
    return repository as CloudsnapRepository;
  }

  readonly recipes: Recipes = {
    runBackup: async ({ held }, task) => {
      try {
        await this.backups.run(task);
      } finally {
        await held?.release();
      }
      return fakeEntry('c/1-1', 'c' as ClusterId);
    },
    openChainSource: async () => NO_SOURCE,
    hydrate: async (target, _source, task) => {
      await this.hydrations.run(task);
      const volume = this.volumes.find(({ id }) => id === target.id);
      if (volume) volume.backing = null;
    },
    hydrateLazily: (target, source, task) => this.recipes.hydrate(target, source, task),
  };

  #add(
    wanted: NewVolume,
    backing: VolumeBacking | null = null,
    source?: BackingSource,
  ): ManagedVolume {
    if (this.volumes.some(({ attributes }) => attributes.name === wanted.name)) {
      throw new CloudvolError('volume/exists', `there is a volume ${wanted.name} already`);
    }
    const volume = new FakeVolume(wanted, backing, source);
    this.volumes.push(volume);
    return asManaged(volume);
  }
}

/** Calls that wait for the test. */
export class Calls {
  readonly #arrived: ((call: Call) => void)[] = [];
  readonly #waiting: Call[] = [];

  /** The next call, as soon as there is one. */
  next(): Promise<Call> {
    const call = this.#waiting.shift();
    return call ? Promise.resolve(call) : new Promise((resolve) => this.#arrived.push(resolve));
  }

  run(task: TaskContext): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    task.signal.addEventListener('abort', () => reject(task.signal.reason as Error));
    const call = { task, finish: resolve, fail: reject };
    const next = this.#arrived.shift();
    if (next) next(call);
    else this.#waiting.push(call);
    return promise;
  }
}

export interface Call {
  readonly task: TaskContext;
  readonly finish: () => void;
  readonly fail: (error: Error) => void;
}

export class FakeVolume {
  readonly id = newVolumeId();
  readonly attributes;
  status = 'detached';
  backing: VolumeBacking | null;
  backingSource: BackingSource | undefined;
  /** Of an upload that was cut off. */
  journalPath: string | undefined;

  constructor(
    { name, sizeBytes, blockBytes, fileSystem, labels }: NewVolume,
    backing: VolumeBacking | null,
    source?: BackingSource,
  ) {
    this.attributes = { name, geometry: geometryOf(sizeBytes, blockBytes), fileSystem, labels };
    this.backing = backing;
    this.backingSource = source;
  }

  get geometry() {
    return this.attributes.geometry;
  }
  async attach() {
    this.status = 'attached';
  }
  async detach() {
    this.status = 'detached';
  }
  async mount() {
    this.status = 'mounted';
  }
  async unmount() {
    this.status = 'detached';
  }
  async changeBacking(change: (backing: VolumeBacking) => VolumeBacking) {
    if (this.backing) this.backing = change(this.backing);
    else throw new CloudvolError('volume/hydrated', 'it needs the cloud no more');
  }
  uploadJournalPath() {
    return this.journalPath;
  }
  async uploadJournalPaths() {
    return this.journalPath === undefined ? [] : [this.journalPath];
  }
  /** Instants that are held now. */
  readonly held = new Set<object>();
  async hold() {
    const held = {
      epoch: this.held.size + 1,
      frozenAtMs: Date.now(),
      settle: () => Promise.reject(new Error('nothing is settled in these tests')),
      release: async () => {
        this.held.delete(held);
      },
    };
    this.held.add(held);
    return held;
  }
  inspect() {
    const { blockCount } = this.geometry;
    const absentBlocks = this.backing ? blockCount : 0;
    return {
      presentBlocks: blockCount - absentBlocks,
      dirtyBlocks: 0,
      absentBlocks,
      localBytes: 0,
      path: this.status === 'detached' ? null : `/fake/${this.attributes.name}`,
      loopDevice: null,
      mountPath: null,
      backing: this.backing,
      waits: { readers: 0, longestMs: 0 },
      outage: this.backingSource?.outage ?? null,
      chains: [],
    };
  }
}

/** The services use no more of a volume than FakeVolume has. */
function asManaged(volume: FakeVolume): ManagedVolume {
  return volume as unknown as ManagedVolume;
}

const NO_SOURCE: BackingSource = {
  readBlocks: () => Promise.reject(new Error('nothing is read in these tests')),
  close: async () => {},
};

function fakeEntry(cloudsnapId: string, clusterId: ClusterId): CloudsnapEntry {
  return {
    manifestSha256: '0'.repeat(64),
    manifest: {
      formatVersion: 1,
      cloudsnapId,
      clusterId,
      sequence: 1,
      parent: null,
      incrementals: 0,
      fullReason: 'first',
      volume: {
        id: newVolumeId(),
        name: 'source',
        sizeBytes: 1 << 20,
        blockBytes: 65536,
        fileSystem: 'ext4',
        labels: { app: 'db' },
      },
      createdMs: 1,
      type: 'Manual',
      consistency: 'crash',
      root: { object: 'root', lengthBytes: 1, sha256: '0'.repeat(64) },
      statistics: {
        plannedBlocks: 0,
        zeroBlocks: 0,
        unchangedBlocks: 0,
        uploadedBlocks: 0,
        uploadedPlainBytes: 0,
        storedBytes: 0,
        packs: 0,
      },
    },
  };
}
