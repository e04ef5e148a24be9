import { constants } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { CloudvolError, errnoOf } from '../base/errors.ts';
import { splitExtent, type Extent } from '../base/extent.ts';
import { geometryOf, type Geometry } from '../base/geometry.ts';
import type { VolumeId } from '../base/ids.ts';
import { Limiter } from '../base/limiter.ts';
import type { BackingRecord } from '../format/volume-state.ts';
import type { OverlayHandle, OverlayReport } from '../native.ts';
import type { BackingSource, FetchedRun } from './backing-source.ts';
import { tidyDeltas } from './deltas.ts';
import { closeOverlay, openOverlay, type OverlayLifeDeps } from './overlay-life.ts';
import type {
  BackupSource,
  ChainTip,
  FileSystem,
  FrozenView,
  HydrationTarget,
  PendingCommit,
  PlanKind,
  VolumeAttributes,
} from './volume-api.ts';
import type { VolumeDirectory } from './volume-directory.ts';
import type { VolumeStateFile } from './volume-state-file.ts';
import { VolumeView } from './volume-view.ts';

export interface LocalDiskDeps extends OverlayLifeDeps {
  readonly clock: Clock;
  /** The source of a volume that is opened with absent blocks; must not need the store to be in reach. */
  readonly openBacking: (backing: BackingRecord) => BackingSource;
}

/**
 * The disk of a volume on this host: overlay, chains and backing source. The overlay is opened at first use and stays open
 * until close(). How it is made reachable is the part of VolumeAttachments.
 */
export class LocalDisk implements BackupSource, HydrationTarget {
  readonly id: VolumeId;
  readonly attributes: VolumeAttributes;
  readonly file: VolumeStateFile;
  readonly directory: VolumeDirectory;
  readonly #deps: LocalDiskDeps;
  readonly #chainTurn = new Limiter(1);
  readonly #openViews = new Set<number>();
  #opening: Promise<OverlayHandle> | undefined;
  #overlay: OverlayHandle | undefined;
  #source: BackingSource | undefined;
  readonly #retiredSources: BackingSource[] = [];

  constructor(
    file: VolumeStateFile,
    directory: VolumeDirectory,
    deps: LocalDiskDeps,
    source?: BackingSource,
  ) {
    const { id, name, sizeBytes, blockBytes, fileSystem, labels, backing } = file.current;
    this.id = id as VolumeId;
    this.attributes = {
      name,
      geometry: geometryOf(sizeBytes, blockBytes),
      fileSystem: fileSystem as FileSystem,
      labels,
    };
    this.file = file;
    this.directory = directory;
    this.#deps = deps;
    this.#source = source ?? (backing ? deps.openBacking(backing) : undefined);
  }

  get geometry(): Geometry {
    return this.attributes.geometry;
  }

  /** Where absent blocks come from; undefined for a volume that needs no cloud. */
  get backingSource(): BackingSource | undefined {
    return this.#source;
  }

  /** The open overlay; opened now if it is not. */
  open(): Promise<OverlayHandle> {
    this.#opening ??= openOverlay(
      this.file,
      this.directory,
      this.#deps,
      (extent) => void this.#bring(extent),
    ).then(
      (overlay) => (this.#overlay = overlay),
      (error: unknown) => {
        // What was in the way may be gone at the next try.
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /** Everything durable, nothing open. Nobody may use the volume any more. */
  async close(): Promise<void> {
    const overlay = await this.#letGo();
    if (overlay) await closeOverlay(overlay, this.file, this.directory, this.#deps);
  }

  /** Nothing open and nothing saved: for a volume that is being removed, perhaps because the disk is full. */
  async discard(): Promise<void> {
    const overlay = await this.#letGo();
    if (overlay) this.#deps.native.closeOverlay(overlay);
  }

  /** Undefined while the overlay is not open. */
  report(): OverlayReport | undefined {
    return this.#overlay && this.#deps.native.reportOverlay(this.#overlay);
  }

  // --- reading and writing without a frontend ---

  async read(offset: number, target: Uint8Array): Promise<void> {
    const overlay = await this.open();
    await this.#whilePopulating((native) => native.readOverlay(overlay, offset, target));
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    const overlay = await this.open();
    await this.#whilePopulating((native) => native.writeOverlay(overlay, offset, source));
  }

  /** The bytes read as zero afterwards; their space is given back. */
  async trim(offset: number, length: number): Promise<void> {
    const overlay = await this.open();
    await this.#whilePopulating((native) => native.zeroOverlay(overlay, offset, length));
  }

  async flush(): Promise<void> {
    await this.#deps.native.flushOverlay(await this.open());
  }

  // --- BackupSource ---

  chainTip(repositoryId: string): ChainTip | undefined {
    return this.file.current.chains.find((chain) => chain.repositoryId === repositoryId);
  }

  pendingCommit(repositoryId: string): PendingCommit | undefined {
    return this.file.current.pendingCommits.find(
      (pending) => pending.repositoryId === repositoryId,
    );
  }

  deltasCompleteSince(baseEpoch: number): boolean {
    return baseEpoch >= this.file.current.bitsLostBefore;
  }

  async freeze(plan: PlanKind): Promise<FrozenView> {
    const { native, clock } = this.#deps;
    const overlay = await this.open();
    return await this.#chainTurn.run(async () => {
      const { epoch } = native.reportOverlay(overlay);
      const base = plan.kind === 'incremental' ? plan.base.baseEpoch : undefined;
      const sealed = base === undefined ? [] : await this.directory.sealedEpochs();
      const frozenAtMs = clock.nowMs();
      const view = await this.#freezeOverlay(
        overlay,
        epoch,
        sealed.filter((old) => old > (base ?? 0)),
        plan.kind,
      );
      this.#openViews.add(epoch);
      return new VolumeView({
        native,
        overlay,
        view,
        geometry: this.geometry,
        epoch,
        frozenAtMs,
        onRelease: () => this.#releaseView(epoch),
      });
    });
  }

  async commitChain(tip: ChainTip): Promise<void> {
    await this.#changeChains(({ chains, pendingCommits }) => ({
      chains: [...others(chains, tip.repositoryId), tip],
      pendingCommits: others(pendingCommits, tip.repositoryId),
    }));
  }

  async recordPendingCommit(pending: PendingCommit): Promise<void> {
    await this.#changeChains(({ pendingCommits }) => ({
      pendingCommits: [...others(pendingCommits, pending.repositoryId), pending],
    }));
  }

  async dropChain(repositoryId: string): Promise<void> {
    await this.#changeChains(({ chains, pendingCommits }) => ({
      chains: others(chains, repositoryId),
      pendingCommits: others(pendingCommits, repositoryId),
    }));
  }

  async readAbsent(extent: Extent, signal: AbortSignal): Promise<Uint8Array> {
    // The last one that went is as good as it ever was: a cloudsnap does not change.
    const source = this.#source ?? this.#retiredSources.at(-1);
    if (!source) throw this.#noSource(extent);
    const { blockBytes } = this.geometry;
    const bytes = new Uint8Array(extent.blockCount * blockBytes);
    for (const run of await source.readBlocks(extent, { priority: 'background', signal })) {
      if (run.data) bytes.set(run.data, (run.firstBlock - extent.firstBlock) * blockBytes);
    }
    return bytes;
  }

  // --- HydrationTarget ---

  get absentBlocks(): number {
    return this.report()?.absentBlocks ?? 0;
  }

  *absentExtents(maxBlocks: number): Generator<Extent> {
    let from = 0;
    while (this.#overlay) {
      const next = this.#deps.native.nextAbsent(this.#overlay, from, this.geometry.blockCount);
      if (!next) return;
      yield* splitExtent(next, maxBlocks);
      from = next.firstBlock + next.blockCount;
    }
  }

  async populate({ firstBlock, blockCount, data }: FetchedRun): Promise<void> {
    await this.#deps.native.populateOverlay(await this.open(), firstBlock, blockCount, data);
  }

  async completeHydration(): Promise<void> {
    const overlay = await this.open();
    if (this.absentBlocks > 0) {
      throw new CloudvolError(
        'volume/not-hydrated',
        `volume ${this.attributes.name} still has absent blocks`,
      );
    }
    await this.#deps.native.flushOverlay(overlay);
    await this.file.update(() => ({ backing: null }));
    await this.directory.removePresent();
    if (this.#source) this.#retiredSources.push(this.#source);
    this.#source = undefined;
    // A view may still have to ask for blocks that were absent at its instant.
    if (this.#openViews.size === 0) await this.#closeRetired();
  }

  // --- inside ---

  async #freezeOverlay(
    overlay: OverlayHandle,
    epoch: number,
    deltas: readonly number[],
    kind: PlanKind['kind'],
  ) {
    try {
      return await this.#deps.native.freezeOverlay(overlay, {
        nextDeltaPath: this.directory.liveDeltaPath(epoch + 1),
        nextEpoch: epoch + 1,
        sealedDeltaPath: this.directory.deltaPath(epoch),
        sidePath: this.directory.sidePath(epoch),
        full: kind === 'full',
        baseDeltaPaths: deltas.map((sealed) => this.directory.deltaPath(sealed)),
      });
    } catch (error) {
      const { name } = this.attributes;
      if (errnoOf(error) === 'EMFILE') {
        throw new CloudvolError(
          'volume/too-many-views',
          `volume ${name} holds as many instants as it can`,
          {
            hint: 'wait until one of its cloudsnaps is done',
            cause: error,
          },
        );
      }
      throw new CloudvolError('volume/not-frozen', `volume ${name} could not be frozen`, {
        hint: 'see whether the state directory has space left and can be written',
        cause: error,
      });
    }
  }

  async #releaseView(epoch: number): Promise<void> {
    this.#openViews.delete(epoch);
    if (this.#openViews.size === 0) await this.#closeRetired();
  }

  async #changeChains(change: Parameters<VolumeStateFile['update']>[0]): Promise<void> {
    await this.#chainTurn.run(async () => {
      await this.file.update(change);
      await tidyDeltas(this.file.current, this.#openViews, this.directory, this.#deps.native);
    });
  }

  async #letGo(): Promise<OverlayHandle | undefined> {
    const overlay = await this.#opening;
    this.#opening = undefined;
    this.#overlay = undefined;
    await this.#source?.close();
    await this.#closeRetired();
    return overlay;
  }

  async #closeRetired(): Promise<void> {
    for (const source of this.#retiredSources.splice(0)) await source.close();
  }

  /** Repeats a request until none of its blocks is absent. */
  async #whilePopulating(
    request: (native: LocalDiskDeps['native']) => Promise<Extent | undefined>,
  ): Promise<void> {
    for (
      let absent = await request(this.#deps.native);
      absent;
      absent = await request(this.#deps.native)
    ) {
      await this.#fetch(absent);
    }
  }

  /** Somebody waits for these blocks. */
  async #bring(extent: Extent): Promise<void> {
    try {
      await this.#fetch(extent);
    } catch (error) {
      this.#deps.log.error('volume.read-failed', { volumeId: this.id, ...extent, error });
      const errno =
        constants.errno[(errnoOf(error) ?? 'EIO') as keyof typeof constants.errno] ??
        constants.errno.EIO;
      const overlay = this.#overlay;
      if (overlay)
        this.#deps.native.failMisses(overlay, extent.firstBlock, extent.blockCount, errno);
    }
  }

  async #fetch(extent: Extent): Promise<void> {
    if (!this.#source) throw this.#noSource(extent);
    for (const run of await this.#source.readBlocks(extent, { priority: 'demand' }))
      await this.populate(run);
  }

  #noSource({ firstBlock, blockCount }: Extent): CloudvolError {
    return new CloudvolError(
      'volume/no-source',
      `volume ${this.attributes.name} has nowhere to take blocks ${firstBlock} to ${firstBlock + blockCount - 1} from`,
    );
  }
}

function others<T extends { readonly repositoryId: string }>(
  records: readonly T[],
  repositoryId: string,
): T[] {
  return records.filter((record) => record.repositoryId !== repositoryId);
}
