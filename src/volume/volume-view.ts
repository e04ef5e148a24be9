import { CloudvolError } from '../base/errors.ts';
import type { Extent } from '../base/extent.ts';
import type { Geometry } from '../base/geometry.ts';
import type { NativeOverlay, OverlayHandle, ViewHandle } from '../native.ts';
import type { FrozenView, HeldInstant, PlanKind } from './volume-api.ts';

export interface VolumeViewOptions {
  readonly native: NativeOverlay;
  readonly overlay: OverlayHandle;
  readonly view: ViewHandle;
  readonly volumeName: string;
  readonly geometry: Geometry;
  readonly epoch: number;
  readonly frozenAtMs: number;
  /** See HeldInstant.settle. */
  readonly settle: (plan: PlanKind) => Promise<void>;
  /** Ends the view; called once. */
  readonly end: () => Promise<void>;
}

/** A frozen view of a volume's overlay. */
export class VolumeView implements FrozenView, HeldInstant {
  readonly geometry: Geometry;
  readonly epoch: number;
  readonly frozenAtMs: number;
  plannedBlocks = 0;
  readonly #options: VolumeViewOptions;
  #isReleased = false;

  constructor(options: VolumeViewOptions) {
    this.#options = options;
    this.geometry = options.geometry;
    this.epoch = options.epoch;
    this.frozenAtMs = options.frozenAtMs;
  }

  /** Its plan is fixed from now on. */
  plan(): void {
    const { native, view } = this.#options;
    this.plannedBlocks = native.plannedBlocks(view);
  }

  async settle(plan: PlanKind): Promise<FrozenView> {
    await this.#options.settle(plan);
    this.plan();
    return this;
  }

  *extents(): Generator<Extent> {
    const { native, view } = this.#options;
    const all = this.geometry.blockCount;
    for (let next = native.nextPlanned(view, 0, all); next;) {
      yield next;
      next = native.nextPlanned(view, next.firstBlock + next.blockCount, all);
    }
  }

  async readBlocks(
    { firstBlock, blockCount }: Extent,
    target: Uint8Array,
  ): Promise<readonly Extent[]> {
    const { native, overlay, view, volumeName } = this.#options;
    try {
      return await native.readView(overlay, view, firstBlock, blockCount, target);
    } catch (error) {
      throw new CloudvolError(
        'volume/view-broken',
        `the frozen state of volume ${volumeName} cannot be read at block ${firstBlock}`,
        { hint: 'free space in the state directory and take the cloudsnap again', cause: error },
      );
    }
  }

  forget({ firstBlock, blockCount }: Extent): void {
    this.#options.native.forgetPlanned(this.#options.view, firstBlock, blockCount);
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.#options.end();
  }
}
