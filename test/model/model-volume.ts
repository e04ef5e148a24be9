import assert from 'node:assert/strict';
import { join } from 'node:path';
import { endBlock, type Extent, extentsOf, splitExtent } from '../../src/base/extent.ts';
import type { VolumeId } from '../../src/base/ids.ts';
import type { BackingSource, FetchedRun } from '../../src/volume/backing-source.ts';
import type {
  BackupSource,
  ChainTip,
  FrozenView,
  HeldInstant,
  HydrationTarget,
  PendingCommit,
  PlanKind,
  VolumeAttributes,
} from '../../src/volume/volume-api.ts';
import { modelStateDirectory } from './model-state-directory.ts';
import { ModelView } from './model-view.ts';

/** What a disk keeps when the process dies. */
interface DurableState {
  readonly id: VolumeId;
  readonly attributes: VolumeAttributes;
  /** What is held locally; the bytes of absent blocks are rubbish, so that reading them shows. */
  readonly data: Uint8Array;
  /** What a reader must see, absent blocks included. */
  readonly truth: Uint8Array;
  readonly absent: Set<number>;
  /** Blocks that may be other than zero. */
  readonly allocated: Set<number>;
  readonly deltas: Map<number, Set<number>>;
  readonly tips: Map<string, ChainTip>;
  readonly pending: Map<string, PendingCommit>;
  /** The open epoch. */
  epoch: number;
  /** Deltas up to this epoch are not complete. */
  lostThroughEpoch: number;
}

/**
 * Where a test may look, or kill the process: before and after each step that changes something
 * durable.
 */
export type Step = (name: string) => void;

const RUBBISH = 0xdb;

/**
 * The reference for a volume: a byte array, a dirty set per epoch, views that copy before write.
 * Slow and plain, so that it is right by reading it. `kill` ends the process: the state lives on in
 * what `reopen` returns.
 */
export class ModelVolume implements BackupSource, HydrationTarget {
  readonly #state: DurableState;
  readonly #source: BackingSource | undefined;
  readonly #views = new Set<ModelView>();
  #dead = false;
  step: Step = () => {};
  /** The content at each freeze of this process, by the epoch that it sealed. */
  readonly frozenImages = new Map<number, Uint8Array>();

  private constructor(state: DurableState, source?: BackingSource) {
    this.#state = state;
    this.#source = source;
  }

  /** An empty volume: all zero, nothing dirty. */
  static create(id: VolumeId, attributes: VolumeAttributes): ModelVolume {
    return new ModelVolume(newState(id, attributes, new Uint8Array(attributes.geometry.sizeBytes)));
  }

  /** A volume that holds nothing yet of `truth`: its blocks come from `source`. */
  static createAbsent(
    id: VolumeId,
    attributes: VolumeAttributes,
    truth: Uint8Array,
    source: BackingSource,
  ): ModelVolume {
    const state = newState(id, attributes, truth);
    state.data.fill(RUBBISH);
    for (let block = 0; block < attributes.geometry.blockCount; block++) state.absent.add(block);
    return new ModelVolume(state, source);
  }

  get id(): VolumeId {
    return this.#state.id;
  }
  get attributes(): VolumeAttributes {
    return this.#state.attributes;
  }
  get geometry() {
    return this.#state.attributes.geometry;
  }
  get absentBlocks(): number {
    return this.#state.absent.size;
  }
  get openViews(): number {
    return this.#views.size;
  }
  get epoch(): number {
    return this.#state.epoch;
  }
  /** What a reader must see now. */
  get truth(): Uint8Array {
    return this.#state.truth;
  }
  /** What the local blocks hold now. @throws when there are absent ones */
  get localImage(): Uint8Array {
    assert.equal(this.absentBlocks, 0, 'a volume with absent blocks has no local image');
    return this.#state.data;
  }

  // Writers and readers

  /** Overwrites whole blocks. */
  write(firstBlock: number, data: Uint8Array): void {
    this.#requireAlive();
    const { blockBytes, blockCount } = this.geometry;
    assert(data.length % blockBytes === 0 && firstBlock + data.length / blockBytes <= blockCount);
    for (let i = 0; i < data.length / blockBytes; i++) {
      this.#change(firstBlock + i, data.subarray(i * blockBytes, (i + 1) * blockBytes));
      this.#state.allocated.add(firstBlock + i);
    }
  }

  trim(extent: Extent): void {
    this.#requireAlive();
    const zeros = new Uint8Array(this.geometry.blockBytes);
    for (let block = extent.firstBlock; block < endBlock(extent); block++) {
      this.#change(block, zeros);
      this.#state.allocated.delete(block);
    }
  }

  /** A demand read: absent blocks are fetched, kept and returned. */
  async read(extent: Extent): Promise<Uint8Array> {
    const missing = [...this.#absentWithin(extent)];
    for (const run of extentsOf(missing)) {
      for (const fetched of await this.#backing().readBlocks(run, { priority: 'demand' })) {
        await this.populate(fetched);
      }
    }
    return this.#bytesOf(this.#state.data, extent).slice();
  }

  // BackupSource

  chainTip(repositoryId: string): ChainTip | undefined {
    return this.#state.tips.get(repositoryId);
  }

  get pendingCommits(): Iterable<PendingCommit> {
    return this.#state.pending.values();
  }

  pendingCommit(repositoryId: string): PendingCommit | undefined {
    return this.#state.pending.get(repositoryId);
  }

  deltasCompleteSince(baseEpoch: number): boolean {
    return baseEpoch >= this.#state.lostThroughEpoch;
  }

  async freeze(plan: PlanKind): Promise<FrozenView> {
    this.#takeStep('freeze');
    const planned = this.#planned(plan, this.#state.epoch, this.#nonZero());
    return this.#view(planned, () => assert.fail('only what is held is settled'));
  }

  async hold(): Promise<HeldInstant> {
    this.#takeStep('hold');
    const { epoch } = this.#state;
    const nonZero = this.#nonZero();
    const all = Array.from({ length: this.geometry.blockCount }, (_, block) => block);
    return this.#view(new Set(all), (plan) => this.#planned(plan, epoch, nonZero));
  }

  #planned(plan: PlanKind, through: number, nonZero: Set<number>): Set<number> {
    if (plan.kind === 'full') return nonZero;
    assert(plan.base.baseEpoch < through, 'instants are used in their order');
    const needed = this.#dirtyAfter(plan.base.baseEpoch, through);
    for (const extent of plan.also ?? []) {
      for (let block = extent.firstBlock; block < endBlock(extent); block++) needed.add(block);
    }
    return needed;
  }

  #view(needed: ReadonlySet<number>, planned: (plan: PlanKind) => ReadonlySet<number>) {
    const state = this.#state;
    const epoch = state.epoch++;
    state.deltas.set(state.epoch, new Set());
    const view = new ModelView(
      { geometry: this.geometry, epoch, frozenAtMs: 1_700_000_000_000 + epoch },
      needed,
      {
        holds: (block) => !state.absent.has(block),
        read: (extent) => this.#bytesOf(state.data, extent),
        step: (name) => this.#takeStep(name),
        released: (released) => this.#views.delete(released),
        planned,
      },
    );
    this.#views.add(view);
    this.frozenImages.set(epoch, state.truth.slice());
    return view;
  }

  async commitChain(tip: ChainTip): Promise<void> {
    this.#takeStep('commitChain');
    this.#state.tips.set(tip.repositoryId, tip);
    this.#state.pending.delete(tip.repositoryId);
    this.#takeStep('commitChain done');
  }

  async recordPendingCommit(pending: PendingCommit): Promise<void> {
    this.#takeStep('recordPendingCommit');
    this.#state.pending.set(pending.repositoryId, pending);
    this.#takeStep('recordPendingCommit done');
  }

  uploadJournalPath(repositoryId: string): string {
    const name = repositoryId.replaceAll(/[^a-z0-9]/g, '_');
    return join(modelStateDirectory(), this.id, `${name}.journal`);
  }

  async dropChain(repositoryId: string): Promise<void> {
    this.#requireAlive();
    this.#state.tips.delete(repositoryId);
    this.#state.pending.delete(repositoryId);
  }

  async readAbsent(extent: Extent, signal: AbortSignal): Promise<Uint8Array> {
    this.#takeStep('readAbsent');
    const { blockBytes } = this.geometry;
    const bytes = new Uint8Array(extent.blockCount * blockBytes);
    const runs = await this.#backing().readBlocks(extent, { priority: 'background', signal });
    for (const { firstBlock, data } of runs) {
      if (data) bytes.set(data, (firstBlock - extent.firstBlock) * blockBytes);
    }
    return bytes;
  }

  // HydrationTarget

  absentExtents(maxBlocks: number): Iterable<Extent> {
    const snapshot = [...this.#state.absent].sort((a, b) => a - b);
    return Iterator.from(extentsOf(snapshot)).flatMap((extent) => splitExtent(extent, maxBlocks));
  }

  async populate(run: FetchedRun): Promise<void> {
    this.#takeStep('populate');
    const { blockBytes } = this.geometry;
    for (const block of this.#absentWithin(run)) {
      const offset = (block - run.firstBlock) * blockBytes;
      const target = this.#block(this.#state.data, block);
      if (run.data) {
        target.set(run.data.subarray(offset, offset + blockBytes));
        this.#state.allocated.add(block);
      } else target.fill(0);
      this.#state.absent.delete(block);
    }
  }

  async completeHydration(): Promise<void> {
    this.#takeStep('completeHydration');
    assert.equal(this.absentBlocks, 0, 'only a volume without absent blocks needs no source');
  }

  // Ends of the process

  /** SIGKILL: views are gone, everything else is there for the next process. */
  kill(): void {
    this.#dead = true;
    this.#views.clear();
  }

  /**
   * The volume as the next process finds it. After a power cut the open epoch's dirty bits are
   * lost.
   */
  reopen(end: 'killed' | 'power-cut' = 'killed', source = this.#source): ModelVolume {
    this.kill();
    if (end === 'power-cut') {
      this.#state.deltas.set(this.#state.epoch, new Set());
      this.#state.lostThroughEpoch = this.#state.epoch++;
      this.#state.deltas.set(this.#state.epoch, new Set());
    }
    return new ModelVolume(this.#state, source);
  }

  #change(block: number, bytes: Uint8Array): void {
    const state = this.#state;
    for (const view of this.#views) view.beforeWrite(block);
    state.deltas.get(state.epoch)?.add(block);
    this.#block(state.data, block).set(bytes);
    this.#block(state.truth, block).set(bytes);
    state.absent.delete(block);
  }

  #dirtyAfter(baseEpoch: number, through: number): Set<number> {
    const dirty = new Set<number>();
    for (const [epoch, blocks] of this.#state.deltas) {
      if (epoch > baseEpoch && epoch <= through) for (const block of blocks) dirty.add(block);
    }
    return dirty;
  }

  #nonZero(): Set<number> {
    return new Set([...this.#state.allocated, ...this.#state.absent]);
  }

  *#absentWithin(extent: Extent): Generator<number> {
    for (let block = extent.firstBlock; block < endBlock(extent); block++) {
      if (this.#state.absent.has(block)) yield block;
    }
  }

  #backing(): BackingSource {
    assert(this.#source, 'only a volume with a backing source has absent blocks');
    return this.#source;
  }

  #block(bytes: Uint8Array, block: number): Uint8Array {
    return this.#bytesOf(bytes, { firstBlock: block, blockCount: 1 });
  }

  #bytesOf(bytes: Uint8Array, { firstBlock, blockCount }: Extent): Uint8Array {
    const { blockBytes } = this.geometry;
    return bytes.subarray(firstBlock * blockBytes, (firstBlock + blockCount) * blockBytes);
  }

  #takeStep(name: string): void {
    this.#requireAlive();
    this.step(name);
    this.#requireAlive();
  }

  #requireAlive(): void {
    if (this.#dead) throw new Error('the process is dead');
  }
}

function newState(id: VolumeId, attributes: VolumeAttributes, truth: Uint8Array): DurableState {
  return {
    id,
    attributes,
    truth: truth.slice(),
    data: truth.slice(),
    absent: new Set(),
    allocated: new Set(),
    deltas: new Map([[1, new Set<number>()]]),
    tips: new Map(),
    pending: new Map(),
    epoch: 1,
    lostThroughEpoch: 0,
  };
}
