import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import { splitExtent, type Extent } from '../base/extent.ts';
import { geometryOf, type Geometry } from '../base/geometry.ts';
import type { VolumeId } from '../base/ids.ts';
import type { BackingRecord } from '../format/volume-state.ts';
import type { NativeOverlay, OverlayHandle, OverlayReport } from '../native.ts';
import { DemandWaits, type WaitReport } from './demand-waits.ts';
import type { BackingSource, FetchedRun } from './backing-source.ts';
import { errnoFor, overlayError } from './overlay-error.ts';
import { closeOverlay, openOverlay, type OverlayLifeDeps } from './overlay-life.ts';
import type {
  BackupSource,
  ChainTip,
  FileSystem,
  FrozenView,
  HeldInstant,
  HydrationTarget,
  PendingCommit,
  PlanKind,
  VolumeAttributes,
} from './volume-api.ts';
import { VolumeChains } from './volume-chains.ts';
import type { VolumeDirectory } from './volume-directory.ts';
import { VolumeFreezer } from './volume-freezer.ts';
import { VolumeSources } from './volume-sources.ts';
import type { VolumeStateFile } from './volume-state-file.ts';

export interface LocalDiskDeps extends OverlayLifeDeps {
  readonly clock: Clock;
  /** The source of a volume with absent blocks; must not need the store to be in reach. */
  readonly openBacking: (backing: BackingRecord) => BackingSource;
}

/**
 * The disk of a volume on this host: overlay, chains and backing source. The overlay is opened at
 * first use and stays open until the end, which close() or discard() is: afterwards everything
 * rejects with `volume/closed`. How the disk is made reachable is the part of VolumeAttachments.
 */
export class LocalDisk implements BackupSource, HydrationTarget {
  readonly id: VolumeId;
  readonly attributes: VolumeAttributes;
  readonly file: VolumeStateFile;
  readonly directory: VolumeDirectory;
  readonly #deps: LocalDiskDeps;
  readonly #chains: VolumeChains;
  readonly #sources: VolumeSources;
  readonly #freezer: VolumeFreezer;
  readonly #waits: DemandWaits;
  #isClosed = false;
  #opening: Promise<OverlayHandle> | undefined;
  #overlay: OverlayHandle | undefined;

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
    const { native, log } = deps;
    const activeEpoch = () => this.report()?.epoch;
    this.#chains = new VolumeChains({ file, directory, native, log, activeEpoch });
    this.#sources = new VolumeSources(
      source ?? (backing ? deps.openBacking(backing) : undefined),
      log,
    );
    this.#waits = new DemandWaits(deps.clock, name);
    this.#freezer = new VolumeFreezer({
      native,
      clock: deps.clock,
      file,
      directory,
      chains: this.#chains,
      sources: this.#sources,
      geometry: () => this.geometry,
      open: () => this.open(),
      overlay: () => this.#overlay,
    });
  }

  get geometry(): Geometry {
    return this.attributes.geometry;
  }

  /** Where absent blocks come from; undefined for a volume that needs no cloud. */
  get backingSource(): BackingSource | undefined {
    return this.#sources.current;
  }

  /** The open overlay; opened now if it is not. */
  async open(): Promise<OverlayHandle> {
    this.#requireOpen();
    this.#opening ??= this.#openOverlay();
    return await this.#opening;
  }

  /** Everything durable, nothing open. After a failure nothing is open, and live bits stay. */
  async close(): Promise<void> {
    await this.#end(async (overlay) => {
      await closeOverlay(overlay, this.file, this.directory, this.#deps);
    });
  }

  /**
   * Nothing open and nothing saved: for a volume that is removed, perhaps because the disk is full.
   */
  async discard({ keepSource = false } = {}): Promise<void> {
    if (keepSource) this.#sources.giveBack();
    await this.#end(async (overlay) => this.#deps.native.closeOverlay(overlay));
  }

  /** Readers that wait for absent blocks now. */
  waits(): WaitReport {
    return this.#waits.report();
  }

  /** Undefined while the overlay is not open. */
  report(): OverlayReport | undefined {
    return this.#overlay && this.#deps.native.reportOverlay(this.#overlay);
  }

  // --- reading and writing without a frontend ---

  async read(offset: number, target: Uint8Array): Promise<void> {
    await this.#request('read', (native, overlay) => native.readOverlay(overlay, offset, target));
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    await this.#request('written', (native, overlay) =>
      native.writeOverlay(overlay, offset, source),
    );
  }

  /** The bytes read as zero afterwards; their space is given back. */
  async trim(offset: number, length: number): Promise<void> {
    await this.#request('trimmed', (native, overlay) =>
      native.zeroOverlay(overlay, offset, length),
    );
  }

  /** What was written is on disk when it resolves. */
  async flush(): Promise<void> {
    await this.#use('flushed', (native, overlay) => native.flushOverlay(overlay));
  }

  // --- BackupSource ---

  chainTip(repositoryId: string): ChainTip | undefined {
    return this.#chains.tip(repositoryId);
  }

  pendingCommit(repositoryId: string): PendingCommit | undefined {
    return this.#chains.pending(repositoryId);
  }

  deltasCompleteSince(baseEpoch: number): boolean {
    return this.#chains.deltasCompleteSince(baseEpoch);
  }

  async freeze(plan: PlanKind): Promise<FrozenView> {
    return await this.#freezer.freeze(plan);
  }

  async hold(): Promise<HeldInstant> {
    return await this.#freezer.hold();
  }

  async commitChain(tip: ChainTip): Promise<void> {
    await this.#chains.commit(tip);
  }

  async recordPendingCommit(pending: PendingCommit): Promise<void> {
    await this.#chains.recordPending(pending);
  }

  uploadJournalPath(repositoryId: string): string {
    return this.directory.uploadJournalPath(repositoryId);
  }

  /** Journals of uploads to any repository that may go on. */
  uploadJournalPaths(): Promise<string[]> {
    return this.directory.uploadJournalPaths();
  }

  async dropChain(repositoryId: string): Promise<void> {
    await this.#chains.drop(repositoryId);
  }

  async readAbsent(extent: Extent, signal: AbortSignal): Promise<Uint8Array> {
    const source = this.#sources.forViews;
    if (!source) throw this.#noSource(extent);
    const { blockBytes } = this.geometry;
    const bytes = new Uint8Array(extent.blockCount * blockBytes);
    for (const run of await source.readBlocks(extent, { priority: 'background', signal })) {
      if (run.data) bytes.set(run.data, (run.firstBlock - extent.firstBlock) * blockBytes);
    }
    return bytes;
  }

  // --- HydrationTarget ---

  get hydrationRate(): number | undefined {
    return this.file.current.backing?.rateBytesPerSecond;
  }

  /**
   * Durable when it resolves.
   * @throws CloudvolError `volume/hydrated` when it needs the cloud no more
   */
  async changeBacking(change: (backing: BackingRecord) => BackingRecord): Promise<void> {
    await this.file.update(({ backing }) => {
      if (backing) return { backing: change(backing) };
      throw new CloudvolError(
        'volume/hydrated',
        `volume ${this.attributes.name} holds all of its blocks and needs the cloud no more`,
        { hint: 'there is nothing to hydrate' },
      );
    });
  }

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
    await this.#use('filled', (native, overlay) =>
      native.populateOverlay(overlay, firstBlock, blockCount, data),
    );
  }

  async completeHydration(): Promise<void> {
    await this.open();
    if (this.absentBlocks > 0) {
      throw new CloudvolError(
        'volume/not-hydrated',
        `volume ${this.attributes.name} still has absent blocks`,
        { hint: 'wait until its hydration has ended' },
      );
    }
    await this.flush();
    await this.file.update(() => ({ backing: null }));
    await this.directory.removePresent();
    this.#sources.retire();
    if (!this.#chains.hasOpenViews) await this.#sources.closeRetired();
  }

  // --- inside ---

  #requireOpen(): void {
    if (!this.#isClosed) return;
    throw new CloudvolError('volume/closed', `volume ${this.attributes.name} is closed`, {
      hint: 'start the agent again',
    });
  }

  async #openOverlay(): Promise<OverlayHandle> {
    try {
      const onMiss = (extent: Extent) => void this.#bring(extent);
      this.#overlay = await openOverlay(this.file, this.directory, this.#deps, onMiss);
      return this.#overlay;
    } catch (error) {
      // What was in the way may be gone at the next try.
      this.#opening = undefined;
      throw error;
    }
  }

  async #end(close: (overlay: OverlayHandle) => Promise<void>): Promise<void> {
    this.#isClosed = true;
    // Whoever asked for it has heard why it could not be opened: here there is nothing to close.
    await this.#opening?.catch(() => {});
    await this.#sources.close();
    await this.#chains.inTurn(async () => {
      const overlay = this.#overlay;
      this.#overlay = undefined;
      if (overlay) await close(overlay);
    });
  }

  /** @param what a participle, for the message when it fails */
  async #use<T>(
    what: string,
    work: (native: NativeOverlay, overlay: OverlayHandle) => Promise<T>,
  ): Promise<T> {
    const overlay = await this.open();
    try {
      return await work(this.#deps.native, overlay);
    } catch (error) {
      throw overlayError(error, this.attributes.name, what);
    }
  }

  /** Repeats a request until none of its blocks is absent. */
  async #request(
    what: string,
    request: (native: NativeOverlay, overlay: OverlayHandle) => Promise<Extent | undefined>,
  ): Promise<void> {
    for (;;) {
      const absent = await this.#use(what, request);
      if (!absent) return;
      await this.#fetch(absent);
    }
  }

  /** Somebody waits for these blocks. Never rejects. */
  async #bring(extent: Extent): Promise<void> {
    try {
      await this.#fetch(extent);
    } catch (error) {
      this.#deps.log.error('volume.read-failed', { volumeId: this.id, ...extent, error });
      const { firstBlock, blockCount } = extent;
      if (!this.#overlay) return;
      this.#deps.native.failMisses(this.#overlay, firstBlock, blockCount, errnoFor(error));
    }
  }

  async #fetch(extent: Extent): Promise<void> {
    const source = this.#sources.current;
    if (!source) throw this.#noSource(extent);
    const limitMs = this.file.current.backing?.absentTimeoutMs;
    const runs = await this.#waits.run(extent, limitMs, (signal) =>
      source.readBlocks(extent, { priority: 'demand', ...(signal && { signal }) }),
    );
    for (const run of runs) await this.populate(run);
  }

  #noSource({ firstBlock, blockCount }: Extent): CloudvolError {
    const last = firstBlock + blockCount - 1;
    return new CloudvolError(
      'volume/no-source',
      `volume ${this.attributes.name} has nowhere to take blocks ${firstBlock} to ${last} from`,
      { hint: 'restore it again from its cloudsnap' },
    );
  }
}
