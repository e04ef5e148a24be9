import type { BackingRecord, ChainRecord } from '../format/volume-state.ts';
import type { BackingSource } from './backing-source.ts';
import type { WaitReport } from './demand-waits.ts';
import { LocalDisk, type LocalDiskDeps } from './local-disk.ts';
import { VolumeAttachments, type AttachmentsDeps } from './volume-attachments.ts';
import type { FrozenView, HeldInstant, PlanKind } from './volume-api.ts';
import type { VolumeDirectory } from './volume-directory.ts';
import type { VolumeStateFile } from './volume-state-file.ts';

/**
 * `failed`: an fsync failed, so that what was written last may be lost; reads go on, writes get
 * EIO.
 */
export type VolumeStatus = 'detached' | 'attached' | 'mounted' | 'failed';

export interface VolumeReport {
  readonly presentBlocks: number;
  /**
   * Written since the last freeze: a part of what the next incremental compares with its parent.
   */
  readonly dirtyBlocks: number;
  readonly absentBlocks: number;
  /** What the data occupies on this host's disk. */
  readonly localBytes: number;
  /** Readers that wait for absent blocks now; one may be many requests. */
  readonly waits: WaitReport;
  /** Why they wait for longer than a request takes; null while the store answers. */
  readonly outage: string | null;
  readonly path: string | null;
  readonly loopDevice: string | null;
  readonly mountPath: string | null;
  readonly backing: BackingRecord | null;
  readonly chains: readonly ChainRecord[];
}

/** A volume as the agent handles it: its disk, and how that is reachable. */
export class Volume extends LocalDisk {
  readonly #attachments: VolumeAttachments;

  constructor(
    file: VolumeStateFile,
    directory: VolumeDirectory,
    deps: LocalDiskDeps & AttachmentsDeps,
    source?: BackingSource,
  ) {
    super(file, directory, deps, source);
    this.#attachments = new VolumeAttachments(this, deps);
  }

  get status(): VolumeStatus {
    if (this.report()?.failedErrno) return 'failed';
    if (this.#attachments.mountPath) return 'mounted';
    return this.#attachments.path ? 'attached' : 'detached';
  }

  get isAttached(): boolean {
    return this.#attachments.path !== null;
  }

  attach(options: { loop?: boolean } = {}): Promise<{ path: string; loopDevice?: string }> {
    return this.#attachments.attach(options);
  }
  detach(): Promise<void> {
    return this.#attachments.detach();
  }
  mount(directory: string): Promise<void> {
    return this.#attachments.mount(directory);
  }
  unmount(): Promise<void> {
    return this.#attachments.unmount();
  }
  /** Makes the volume's file system; for a new volume only. */
  format(): Promise<void> {
    return this.#attachments.format();
  }
  /** After a start of the agent: what was attached or mounted is so again. */
  restoreAttachments(): Promise<void> {
    return this.#attachments.restore();
  }

  async inspect(): Promise<VolumeReport> {
    await this.#attachments.refresh();
    const { chains, backing } = this.file.current;
    const report = this.report();
    const absentBlocks = report?.absentBlocks ?? 0;
    return {
      presentBlocks: this.geometry.blockCount - absentBlocks,
      dirtyBlocks: report?.dirtyBlocks ?? 0,
      absentBlocks,
      localBytes: report?.allocatedBytes ?? (await this.directory.allocatedBytes()),
      waits: this.waits(),
      outage: this.backingSource?.outage ?? null,
      path: this.#attachments.path,
      loopDevice: this.#attachments.loopDevice,
      mountPath: this.#attachments.mountPath,
      backing,
      chains,
    };
  }

  /**
   * What programs have written to a file system that is mounted here is in the view, whether they
   * synced it or not, as far as it can be brought down.
   */
  override async freeze(plan: PlanKind): Promise<FrozenView> {
    await this.#attachments.syncMounted();
    return await super.freeze(plan);
  }

  override async hold(): Promise<HeldInstant> {
    await this.#attachments.syncMounted();
    return await super.hold();
  }

  /**
   * The end of the agent: detached, durable, closed. What a program holds open stays reachable
   * until this process ends; then what it had written is on this host, and its bits are live ones.
   * @throws CloudvolError `volume/in-use`
   */
  override async close(): Promise<void> {
    try {
      await this.#attachments.suspend();
    } catch (error) {
      await this.#attachments.syncMounted();
      if (this.report()) await this.flush();
      throw error;
    }
    await super.close();
  }
}
