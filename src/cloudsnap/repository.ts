import type { Clock } from '../base/clock.ts';
import { hasCode, type CloudvolError } from '../base/errors.ts';
import type { ClusterId, VolumeId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Limiter } from '../base/limiter.ts';
import { mapLimited } from '../base/map-limited.ts';
import { parseCloudsnapId } from '../format/cloudsnap-id.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { beginCloudsnap } from './begin-cloudsnap.ts';
import type {
  CloudsnapEntry,
  CloudsnapPlan,
  CloudsnapReader,
  CloudsnapRepository,
  CloudsnapWriter,
  Manifest,
  OwnOptions,
  UploadOptions,
  VolumePlace,
} from './cloudsnap-api.ts';
import { parentKey, withWholeChains } from './chain.ts';
import { ClearRepositoryCipher } from './clear-repository-cipher.ts';
import { deleteCloudsnap, markDeleted } from './delete-cloudsnap.ts';
import { listDependants } from './dependants.ts';
import { EncryptedRepositoryCipher } from './encrypted-repository-cipher.ts';
import { finishDeletions } from './finish-deletions.ts';
import { IndexReader } from './index-reader.ts';
import { listClusters } from './list-clusters.ts';
import { ManifestCatalog, isVisible, notFound, type Slot } from './manifest-catalog.ts';
import { manifestKey } from './object-keys.ts';
import { Ownership } from './ownership.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import { StoredCloudsnap } from './stored-cloudsnap.ts';
import { planRepair } from './repair/plan-repair.ts';
import type { RepairPlan } from './repair/repair-plan.ts';
import { confirmDamage } from './verify/confirm-damage.ts';
import { StoredObjects } from './verify/stored-objects.ts';
import { discardUpload } from './sweep/discard-upload.ts';
import type { SweepReport, SweepRequest } from './sweep/sweep-report.ts';
import { sweepRepository } from './sweep/sweep-repository.ts';
import { verifyCloudsnap } from './verify/verify-cloudsnap.ts';
import type { VerifyOptions, VerifyReport } from './verify/verify-report.ts';
import { withSignal } from './with-signal.ts';

export interface RepositoryOptions {
  readonly store: ObjectStore;
  readonly clusterId: ClusterId;
  readonly log: Log;
  readonly clock: Clock;
  /**
   * Of two with the same id, the later takes over at once: it is the next process of one host.
   * Letters, digits, `.`, `_`, `-`; at most 64. Default: the cluster id.
   */
  readonly hostId?: string;
  /**
   * Most objects of one cloudsnap on their way at once; each is a pack in memory. Four packs of 16
   * MiB fill a link of 1 Gbit/s at half a second of latency, and cost 85 MiB with the one that is
   * being assembled.
   */
  readonly uploadsAtOnce?: number;
  /** Bytes beyond which a pack is closed; for tests with small volumes. */
  readonly packTargetBytes?: number;
  /** With it the repository is encrypted, from its first use on. */
  readonly passphrase?: string;
}

const DEFAULT_UPLOADS_AT_ONCE = 4;
/** The credential is not the one for this root. */
const LOCKED = [
  'cloudsnap/encrypted',
  'cloudsnap/not-encrypted',
  'cloudsnap/wrong-passphrase',
] as const;
/** Manifests fetched at once by a listing. */
const READS_AT_ONCE = 16;

/** Touches the store only when it is used: opening makes no request. */
export async function openRepository(options: RepositoryOptions): Promise<CloudsnapRepository> {
  return new StoreRepository(options);
}

class StoreRepository implements CloudsnapRepository {
  readonly id: string;
  readonly clusterId: ClusterId;
  readonly #options: RepositoryOptions & { readonly uploadsAtOnce: number };
  readonly #ciphers: RepositoryCipher;
  readonly #catalog: ManifestCatalog;
  readonly #ownership: Ownership;
  /** Snap names of the uploads under way. */
  readonly #uploads = new Set<string>();
  /** One at a time: each also finishes what others have begun. */
  readonly #deletions = new Limiter(1);

  constructor(options: RepositoryOptions) {
    this.id = `${options.store.location}/${options.clusterId}`;
    this.clusterId = options.clusterId;
    const { passphrase, ...others } = options;
    this.#options = { uploadsAtOnce: DEFAULT_UPLOADS_AT_ONCE, ...others };
    const { store, clock, log, clusterId, hostId = clusterId } = options;
    this.#ciphers =
      passphrase === undefined
        ? new ClearRepositoryCipher(store)
        : new EncryptedRepositoryCipher(store, passphrase);
    this.#catalog = new ManifestCatalog(store, this.#ciphers);
    const [catalog, ciphers] = [this.#catalog, this.#ciphers];
    this.#ownership = new Ownership({ store, clock, log, hostId, catalog, ciphers });
  }

  get #parts() {
    return {
      ...this.#options,
      catalog: this.#catalog,
      ciphers: this.#ciphers,
      ownership: this.#ownership,
    };
  }

  async list(
    filter: { volumeId?: VolumeId; clusterId?: ClusterId; allClusters?: boolean },
    signal?: AbortSignal,
  ): Promise<CloudsnapEntry[]> {
    const clusters = filter.allClusters
      ? await listClusters(this.#options.store, signal)
      : [filter.clusterId ?? this.clusterId];
    const entries: CloudsnapEntry[] = [];
    let locked: CloudvolError | undefined;
    for (const clusterId of clusters) {
      try {
        entries.push(...(await this.#listRoot(clusterId, filter.volumeId, signal)));
      } catch (error) {
        if (!filter.allClusters || !isLocked(error)) throw error;
        // Another root of the bucket with another passphrase does not hide those that can be read.
        this.#options.log.warn('repository.root-unreadable', { clusterId, error });
        locked ??= error;
      }
    }
    // Nothing at all must not look like an empty bucket.
    if (entries.length === 0 && locked !== undefined) throw locked;
    return entries;
  }

  async #listRoot(
    clusterId: ClusterId,
    volumeId: VolumeId | undefined,
    signal?: AbortSignal,
  ): Promise<CloudsnapEntry[]> {
    const slots = await this.#catalog.slots(clusterId, volumeId, signal);
    if (slots.length === 0 && volumeId === undefined) await this.#ciphers.check(clusterId, signal);
    const found = await mapLimited(
      slots.filter(isVisible),
      (slot) => this.#readListed(slot, signal),
      { limit: READS_AT_ONCE, ...withSignal(signal) },
    );
    const readable = found.filter((entry) => entry !== undefined);
    return withWholeChains(readable, slots).sort(byVolumeAndSequence);
  }

  async find(cloudsnapId: string, signal?: AbortSignal): Promise<CloudsnapEntry> {
    const name = parseCloudsnapId(cloudsnapId);
    if (!name) throw notFound(cloudsnapId);
    const key = manifestKey(name.clusterId, name.volumeId, name.sequence);
    // The volume's, not only this one: an incremental is there only together with its parent.
    const slots = await this.#catalog.slots(name.clusterId, name.volumeId, signal);
    const visible = new Map(slots.filter(isVisible).map((each) => [each.key, each]));
    const slot = visible.get(key);
    if (!slot) throw notFound(cloudsnapId);
    const entry = await this.#catalog.read(slot, signal);
    // The number may have been taken by another writer's cloudsnap.
    if (entry.manifest.cloudsnapId !== cloudsnapId) throw notFound(cloudsnapId);
    const parent = parentKey(entry.manifest);
    if (parent !== undefined && !visible.has(parent)) throw notFound(cloudsnapId);
    return entry;
  }

  async open({ manifest }: CloudsnapEntry, signal?: AbortSignal): Promise<CloudsnapReader> {
    return await this.#openStored(manifest, signal);
  }

  async planRepair(
    { manifest }: CloudsnapEntry,
    damaged: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<RepairPlan> {
    const { store, clock } = this.#options;
    const opening = () => this.#openStored(manifest, signal);
    const parent = await confirmDamage(opening, { clock, signal });
    try {
      const objects = new StoredObjects(store);
      return await planRepair({ parent, objects, damaged, clock, signal });
    } finally {
      await parent.close();
    }
  }

  verify(cloudsnapId: string, options: VerifyOptions, signal: AbortSignal): Promise<VerifyReport> {
    const { store, clock } = this.#options;
    const open = (manifest: Manifest) => this.#openStored(manifest, signal);
    const deps = { store, clock, open, catalog: new ManifestCatalog(store, this.#ciphers) };
    return verifyCloudsnap(deps, cloudsnapId, options, signal);
  }

  async own(volumeId: VolumeId, options: OwnOptions, signal: AbortSignal): Promise<void> {
    await this.#ownership.acquire({ clusterId: this.clusterId, volumeId }, options, signal);
  }

  begin(
    plan: CloudsnapPlan,
    signal: AbortSignal,
    upload: UploadOptions = {},
  ): Promise<CloudsnapWriter> {
    const onUpload = (snapName: string) => {
      this.#uploads.add(snapName);
      return () => this.#uploads.delete(snapName);
    };
    const options = { ...this.#parts, repositoryId: this.id, onUpload };
    return beginCloudsnap(options, plan, signal, upload);
  }

  dependants(entry: CloudsnapEntry, signal?: AbortSignal): Promise<CloudsnapEntry[]> {
    const { clusterId, sequence, volume } = entry.manifest;
    return listDependants(this.#catalog, { clusterId, volumeId: volume.id, sequence }, signal);
  }

  delete(entry: CloudsnapEntry, signal = new AbortController().signal): Promise<void> {
    return this.#deletions.run(() => deleteCloudsnap(this.#parts, entry, signal), signal);
  }

  mark(entry: CloudsnapEntry, options: OwnOptions, signal: AbortSignal): Promise<void> {
    return markDeleted(this.#parts, entry, options, signal);
  }

  sweep(request: SweepRequest, signal: AbortSignal): Promise<SweepReport> {
    const isUploading = (snapName: string) => this.#uploads.has(snapName);
    const alone = <T>(work: () => Promise<T>) => this.#deletions.run(work, signal);
    const { clusterId } = this;
    return sweepRepository({ ...this.#parts, clusterId, isUploading, alone }, request, signal);
  }

  discardUpload(snapName: string, signal: AbortSignal): Promise<void> {
    const options = { ...this.#parts, clusterId: this.clusterId };
    return this.#deletions.run(() => discardUpload(options, snapName, signal), signal);
  }

  finishDeletions(place: VolumePlace, signal: AbortSignal): Promise<number> {
    return this.#deletions.run(() => finishDeletions(this.#parts, place, {}, signal), signal);
  }

  async #openStored(manifest: Manifest, signal?: AbortSignal): Promise<StoredCloudsnap> {
    const cipher = await this.#ciphers.ofManifest(manifest, signal);
    const options = { store: this.#options.store, manifest, cipher };
    return new StoredCloudsnap(options, await IndexReader.open(options, signal));
  }

  /**
   * A listing shows what can be shown; what cannot be read is reported, and does not hide the rest.
   */
  async #readListed(slot: Slot, signal?: AbortSignal): Promise<CloudsnapEntry | undefined> {
    try {
      return await this.#catalog.read(slot, signal);
    } catch (error) {
      if (hasCode(error, 'cloudsnap/not-found')) return undefined;
      const unreadable =
        hasCode(error, 'cloudsnap/corrupt') || hasCode(error, 'format/unsupported');
      if (!unreadable) throw error;
      this.#options.log.warn('cloudsnap.manifest-unreadable', { key: slot.key, error });
      return undefined;
    }
  }
}

function isLocked(error: unknown): error is CloudvolError {
  return LOCKED.some((code) => hasCode(error, code));
}

function byVolumeAndSequence(a: CloudsnapEntry, b: CloudsnapEntry): number {
  const [left, right] = [BigInt(a.manifest.volume.id), BigInt(b.manifest.volume.id)];
  if (left !== right) return left < right ? -1 : 1;
  return a.manifest.sequence - b.manifest.sequence;
}
