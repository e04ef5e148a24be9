import assert from 'node:assert/strict';
import { endBlock, type Extent, extentsOf } from '../../src/base/extent.ts';
import type { Geometry } from '../../src/base/geometry.ts';
import type { FrozenView, HeldInstant, PlanKind } from '../../src/volume/volume-api.ts';

interface Instant {
  readonly geometry: Geometry;
  readonly epoch: number;
  readonly frozenAtMs: number;
}

/** What a view may ask of its volume. */
interface LiveVolume {
  readonly holds: (block: number) => boolean;
  readonly read: (extent: Extent) => Uint8Array;
  readonly step: (name: string) => void;
  readonly released: (view: ModelView) => void;
  /** What a plan names as of the instant; for a view that is held. */
  readonly planned: (plan: PlanKind) => ReadonlySet<number>;
}

/**
 * One instant, block by block: the old content of what was overwritten since, `absent` if it was
 * not local then.
 */
export class ModelView implements FrozenView, HeldInstant {
  readonly geometry: Geometry;
  readonly epoch: number;
  readonly frozenAtMs: number;
  #planned: readonly number[];
  readonly #needed: Set<number>;
  readonly #copies = new Map<number, Uint8Array | 'absent'>();
  readonly #volume: LiveVolume;
  #released = false;

  constructor(instant: Instant, needed: ReadonlySet<number>, volume: LiveVolume) {
    this.geometry = instant.geometry;
    this.epoch = instant.epoch;
    this.frozenAtMs = instant.frozenAtMs;
    this.#planned = [...needed].sort((a, b) => a - b);
    this.#needed = new Set(needed);
    this.#volume = volume;
  }

  get plannedBlocks(): number {
    return this.#planned.length;
  }

  async settle(plan: PlanKind): Promise<FrozenView> {
    this.#volume.step('settle');
    const planned = this.#volume.planned(plan);
    this.#planned = this.#planned.filter((block) => planned.has(block));
    for (const block of this.#needed) if (!planned.has(block)) this.#needed.delete(block);
    return this;
  }

  extents(): Iterable<Extent> {
    return extentsOf(this.#planned);
  }

  async readBlocks(extent: Extent, target: Uint8Array): Promise<readonly Extent[]> {
    this.#volume.step('readBlocks');
    assert(!this.#released, 'nobody reads a released view');
    const { blockBytes } = this.geometry;
    assert.equal(target.length, extent.blockCount * blockBytes);
    const absent: number[] = [];
    for (let block = extent.firstBlock; block < endBlock(extent); block++) {
      assert(this.#needed.has(block), `block ${block} is not in the view, or was forgotten`);
      const bytes = this.#at(block);
      if (bytes === 'absent') absent.push(block);
      else target.set(bytes, (block - extent.firstBlock) * blockBytes);
    }
    return [...extentsOf(absent)];
  }

  forget(extent: Extent): void {
    for (let block = extent.firstBlock; block < endBlock(extent); block++) {
      this.#needed.delete(block);
      this.#copies.delete(block);
    }
  }

  async release(): Promise<void> {
    assert(!this.#released, 'a view is released once');
    this.#volume.step('release');
    this.#released = true;
    this.#volume.released(this);
  }

  /** Keeps the block as it is before the first write to it since the instant. */
  beforeWrite(block: number): void {
    if (!this.#needed.has(block) || this.#copies.has(block)) return;
    const bytes = this.#at(block);
    this.#copies.set(block, bytes === 'absent' ? bytes : bytes.slice());
  }

  #at(block: number): Uint8Array | 'absent' {
    const copy = this.#copies.get(block);
    if (copy) return copy;
    if (!this.#volume.holds(block)) return 'absent';
    return this.#volume.read({ firstBlock: block, blockCount: 1 });
  }
}
