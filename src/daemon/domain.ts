/** What the services need of the domain, so that their tests can put models in its place. */
import type { Clock } from '../base/clock.ts';
import type { ClusterId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { FileCatalog } from '../catalog/file-catalog.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { StoreMetrics } from '../store/layers/metrics.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { OpenedStore } from '../store/open-store.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../cloudsnap/cloudsnap-api.ts';
import type { BackupRequest } from '../backup/run-backup.ts';
import type { SplitCredential } from '../secrets/split-credential.ts';
import type { Credential } from '../secrets/credential.ts';
import type { StoreReport } from '../store/validate-store.ts';
import type { StoreTarget } from '../store/store-target.ts';
import type { TaskContext } from '../tasks/task-api.ts';
import type { BackingSource } from '../volume/backing-source.ts';
import type { BackupSource, FileSystem, HydrationTarget } from '../volume/volume-api.ts';

export interface VolumeBacking {
  readonly credentialId: string;
  readonly cloudsnapId: string;
  /** Whether the agent fills it in the background, also after a restart. */
  readonly hydrate: boolean;
  readonly rateBytesPerSecond?: number;
  readonly absentTimeoutMs?: number;
}

/** What a volume tells about itself; the parts of VolumeReport that are shown. */
export interface VolumeFacts {
  readonly presentBlocks: number;
  readonly dirtyBlocks: number;
  readonly absentBlocks: number;
  readonly localBytes: number;
  readonly path: string | null;
  readonly loopDevice: string | null;
  readonly mountPath: string | null;
  readonly backing: VolumeBacking | null;
  /** Readers of absent blocks that wait now. */
  readonly waits: { readonly readers: number; readonly longestMs: number };
  /** Why they wait for longer than a request takes. */
  readonly outage: string | null;
  readonly chains: readonly {
    readonly repositoryId: string;
    readonly cloudsnapId: string;
    readonly sequence: number;
    readonly incrementals: number;
  }[];
}

export interface ManagedVolume extends BackupSource, HydrationTarget {
  readonly status: string;
  /** Where its absent blocks come from; undefined once it is hydrated. */
  readonly backingSource: BackingSource | undefined;
  /** Where uploads to any repository are written down that may go on. */
  uploadJournalPaths(): Promise<string[]>;
  attach(options: { loop: boolean }): Promise<unknown>;
  detach(): Promise<void>;
  mount(directory: string): Promise<void>;
  unmount(): Promise<void>;
  /** Durable when it resolves. @throws CloudvolError `volume/hydrated` */
  changeBacking(change: (backing: VolumeBacking) => VolumeBacking): Promise<void>;
  inspect(): VolumeFacts | Promise<VolumeFacts>;
}

export interface NewVolume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly fileSystem: FileSystem;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ManagedVolumes {
  create(volume: NewVolume): Promise<ManagedVolume>;
  createAbsent(
    volume: NewVolume & { backing: VolumeBacking; source: BackingSource },
  ): Promise<ManagedVolume>;
  list(): readonly ManagedVolume[];
  /** @throws CloudvolError `volume/not-found` */
  find(nameOrId: string): ManagedVolume;
  delete(volume: ManagedVolume): Promise<void>;
  close(): Promise<void>;
}

/**
 * What a volume that is opened with absent blocks is given; must not need the store to be in reach.
 */
export type OpenBacking = (backing: VolumeBacking) => BackingSource;

/** Repositories by credential, opened once and kept. */
export interface Repositories {
  open(credential: Credential): Promise<CloudsnapRepository>;
  /**
   * Whether the store can be reached and the passphrase is the right one; makes a directory or
   * default bucket that is not there.
   */
  check(credential: SplitCredential, signal: AbortSignal): Promise<void>;
  /** Tries the store of a credential, opened anew. @throws CloudvolError `secrets/locked` */
  validate(credential: Credential, signal: AbortSignal): Promise<StoreReport>;
  /**
   * The store of a credential, opened anew for as long as `work` runs.
   * @throws CloudvolError `secrets/locked`
   */
  withStore<T>(credential: Credential, work: (store: ObjectStore) => Promise<T>): Promise<T>;
  /** Requests to the credential's store since this agent started; zeros before its first use. */
  requests(credential: Credential): StoreMetrics['requests'];
  /** Closes what was opened for a credential that is not used any more. */
  forget(credential: Credential): Promise<void>;
  /** Its secrets are others: whoever opens it from now on gets them; tasks under way go on. */
  renew(credential: Credential): void;
  /** From now on, what needs secrets is opened anew; tasks under way go on with what they have. */
  lock(): void;
  close(): Promise<void>;
}

export interface Recipes {
  runBackup(request: BackupRequest, task: TaskContext): Promise<CloudsnapEntry>;
  openChainSource(
    repository: CloudsnapRepository,
    entry: CloudsnapEntry,
    signal?: AbortSignal,
  ): Promise<BackingSource>;
  /** For a volume that nobody has been given yet. */
  hydrate(target: HydrationTarget, source: BackingSource, task: TaskContext): Promise<void>;
  /** For one that is in use. */
  hydrateLazily(target: HydrationTarget, source: BackingSource, task: TaskContext): Promise<void>;
}

/** The domain as the composition root opens it. */
export interface Domain {
  openVolumes(options: {
    readonly config: AgentConfig;
    readonly openBacking: OpenBacking;
  }): Promise<ManagedVolumes>;
  openCatalog(config: AgentConfig): Promise<Pick<FileCatalog, 'list' | 'pack' | 'close'>>;
  openStore(target: StoreTarget): Promise<OpenedStore>;
  /** @param passphrase of an encrypted repository */
  openRepository(
    store: ObjectStore,
    clusterId: ClusterId,
    passphrase?: string,
  ): Promise<CloudsnapRepository>;
  readonly recipes: Recipes;
}

/** Handed to every service. */
export interface Surroundings {
  readonly clock: Clock;
  readonly log: Log;
  /** How long a backup or restore may make no progress; 0: for ever. */
  readonly stallLimitMs: number;
  /** Name of this host, as the NODE column shows it. */
  readonly node: string;
}
