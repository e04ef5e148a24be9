import { runBackup, type BackupRequest } from '../../src/backup/run-backup.ts';
import { geometryOf, type Geometry } from '../../src/base/geometry.ts';
import { type ClusterId, newClusterId, newVolumeId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { Sqlite } from '../../src/base/sqlite.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { DAMAGE_TABLE_SQL, DamageRegister } from '../../src/cloudsnap/damage-register.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { openChainSource } from '../../src/restore/chain-source.ts';
import { DeferredSource } from '../../src/restore/deferred-source.ts';
import { hydrate } from '../../src/restore/hydrate.ts';
import { restoredAttributes } from '../../src/restore/restore-attributes.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import type { BackingSource } from '../../src/volume/backing-source.ts';
import { differingBlocks } from './differing-blocks.ts';
import { instantClock } from './instant-clock.ts';
import { ModelVolume } from './model-volume.ts';
import { MortalStore } from './mortal-store.ts';
import { RecordingTask } from './recording-task.ts';

export interface LabOptions {
  readonly geometry?: Geometry;
  /** The stores, which outlive every process; one repository in each. Default: one MemoryStore. */
  readonly disks?: readonly ObjectStore[];
  /** Makes encrypted repositories. */
  readonly passphrase?: string;
  /** Small packs make several of a small volume. */
  readonly packTargetBytes?: number;
  /** Puts layers between a process and the store. */
  readonly wrap?: (store: ObjectStore) => ObjectStore;
}

/**
 * Told of every step that changes something durable, in the store and in the volume; may call
 * `kill`.
 */
export type StepHook = (name: string) => void;

/** What a lazily restored volume reads from. */
interface Backing {
  readonly entry: CloudsnapEntry;
  readonly repositoryIndex: number;
}

/**
 * A volume, a store and the process between them. `images` holds what each cloudsnap must give
 * back: the content at the freeze of whatever may have been published, also by a process that died
 * or a backup that failed.
 */
export class Lab {
  readonly disks: readonly ObjectStore[];
  readonly clock = instantClock();
  readonly images = new Map<string, Uint8Array>();
  /** Durable, as the agent's database is. */
  readonly damage = new DamageRegister(Sqlite.open(':memory:', [DAMAGE_TABLE_SQL]), this.clock);
  readonly #clusterId: ClusterId = newClusterId();
  readonly #wrap: (store: ObjectStore) => ObjectStore;
  readonly #repositoryOptions: Pick<LabOptions, 'packTargetBytes' | 'passphrase'>;
  onStep: StepHook = () => {};
  volume: ModelVolume;
  repositories: readonly CloudsnapRepository[] = [];
  backing: Backing | undefined;
  /** The backing source of a lazily restored volume, in this process. */
  source: BackingSource | undefined;
  #ways: MortalStore[] = [];

  private constructor(options: LabOptions, volume: ModelVolume) {
    this.disks = options.disks ?? [new MemoryStore()];
    this.#wrap = options.wrap ?? ((store) => store);
    const { packTargetBytes, passphrase } = options;
    this.#repositoryOptions = {
      ...(packTargetBytes === undefined ? {} : { packTargetBytes }),
      ...(passphrase === undefined ? {} : { passphrase }),
    };
    this.volume = volume;
  }

  static async open(options: LabOptions = {}): Promise<Lab> {
    const geometry = options.geometry ?? geometryOf(64 * 4096, 4096);
    const attributes = { name: 'v', geometry, fileSystem: 'none', labels: { a: 'b' } } as const;
    const lab = new Lab(options, ModelVolume.create(newVolumeId(), attributes));
    await lab.#boot();
    lab.#watch(lab.volume);
    return lab;
  }

  /** The repository of the first disk. */
  get repository(): CloudsnapRepository {
    return this.repositoryAt(0);
  }

  repositoryAt(index: number): CloudsnapRepository {
    const repository = this.repositories[index];
    if (!repository) throw new Error(`this lab has no repository ${index}`);
    return repository;
  }

  /** SIGKILL at this very moment: nothing that is under way takes effect any more. */
  kill(): void {
    for (const way of this.#ways) way.die();
    this.volume.kill();
  }

  /** The next process on the same disks. */
  async restart(end: 'killed' | 'power-cut' = 'killed'): Promise<void> {
    this.kill();
    await this.#boot();
    this.source = this.backing && this.#openSource(this.backing);
    this.#watch(this.volume.reopen(end, this.source));
  }

  /** Puts a volume that has nothing yet of a cloudsnap in the place of the one before. */
  restoreLazily(backing: Backing): void {
    const { manifest } = backing.entry;
    this.backing = backing;
    this.source = this.#openSource(backing);
    const attributes = restoredAttributes(manifest, undefined, () => false);
    const image = this.imageOf(backing.entry);
    this.#watch(ModelVolume.createAbsent(newVolumeId(), attributes, image, this.source));
  }

  /** What a cloudsnap must give back. */
  imageOf({ manifest: { cloudsnapId } }: CloudsnapEntry): Uint8Array {
    const image = this.images.get(cloudsnapId);
    if (!image) throw new Error(`${cloudsnapId} is visible but was never about to be committed`);
    return image;
  }

  backup(
    request: Partial<BackupRequest> = {},
    task = new RecordingTask(),
  ): Promise<CloudsnapEntry> {
    return runBackup(
      {
        source: this.volume,
        repository: this.repository,
        type: 'Manual',
        full: false,
        frequency: 7,
        consistency: 'crash',
        damage: this.damage,
        clock: this.clock,
        log: silentLog,
        ...request,
      },
      task,
    );
  }

  /** Restores eagerly into a new volume; its content. */
  async restore(entry: CloudsnapEntry, repository = this.repository): Promise<Uint8Array> {
    const source = await openChainSource({ repository, entry, clock: this.clock, log: silentLog });
    try {
      const attributes = restoredAttributes(entry.manifest, undefined, () => false);
      // The truth that the model would compare reads with is not known here: nobody reads.
      const nothing = new Uint8Array(attributes.geometry.sizeBytes);
      const volume = ModelVolume.createAbsent(newVolumeId(), attributes, nothing, source);
      await hydrate(volume, source, {}, new RecordingTask());
      return volume.localImage;
    } finally {
      await source.close();
    }
  }

  /**
   * Restores a cloudsnap and names the blocks that differ from what the volume held at its instant.
   */
  async wrongBlocks(entry: CloudsnapEntry, repository = this.repository): Promise<number[]> {
    const { blockBytes } = entry.manifest.volume;
    return differingBlocks(await this.restore(entry, repository), this.imageOf(entry), blockBytes);
  }

  /** What a fresh reader sees in the repository. */
  async visible(repository = this.repository): Promise<CloudsnapEntry[]> {
    return await repository.list({});
  }

  async #boot(): Promise<void> {
    this.#ways = [];
    this.repositories = await Promise.all(this.disks.map((disk) => this.#openOn(disk)));
  }

  async #openOn(disk: ObjectStore): Promise<CloudsnapRepository> {
    const way = new MortalStore(disk, (name) => this.onStep(name));
    this.#ways.push(way);
    return await openRepository({
      store: this.#wrap(way),
      clusterId: this.#clusterId,
      log: silentLog,
      clock: this.clock,
      ...this.#repositoryOptions,
    });
  }

  #openSource({ entry, repositoryIndex }: Backing): BackingSource {
    const { clock } = this;
    const repository = this.repositoryAt(repositoryIndex);
    const open = (signal: AbortSignal) =>
      openChainSource({ repository, entry, clock, log: silentLog, signal });
    return new DeferredSource({ open, clock, log: silentLog });
  }

  #watch(volume: ModelVolume): void {
    this.volume = volume;
    volume.step = (name) => {
      if (name === 'recordPendingCommit done') this.#keepImage(volume);
      this.onStep(name);
    };
  }

  #keepImage(volume: ModelVolume): void {
    for (const { cloudsnapId, epoch } of volume.pendingCommits) {
      const image = volume.frozenImages.get(epoch);
      if (image) this.images.set(cloudsnapId, image);
    }
  }
}
