import assert from 'node:assert/strict';

import type { Clock } from '../base/clock.ts';
import { errnoOf } from '../base/errors.ts';
import type { Geometry } from '../base/geometry.ts';
import type { NativeOverlay, OverlayHandle, ViewHandle, ViewPlan } from '../native.ts';
import { bitsLost, freezingError } from './overlay-error.ts';
import type { FrozenView, HeldInstant, PlanKind } from './volume-api.ts';
import type { VolumeChains } from './volume-chains.ts';
import type { VolumeDirectory } from './volume-directory.ts';
import type { VolumeSources } from './volume-sources.ts';
import type { VolumeStateFile } from './volume-state-file.ts';
import { VolumeView } from './volume-view.ts';

export interface VolumeFreezerDeps {
  readonly native: NativeOverlay;
  readonly clock: Clock;
  readonly file: VolumeStateFile;
  readonly directory: VolumeDirectory;
  readonly chains: VolumeChains;
  readonly sources: VolumeSources;
  readonly geometry: () => Geometry;
  /** The open overlay; opened now if it is not. @throws CloudvolError `volume/closed` */
  readonly open: () => Promise<OverlayHandle>;
  /** Undefined once the overlay is closed: its views have ended with it. */
  readonly overlay: () => OverlayHandle | undefined;
}

const NOTHING_YET: ViewPlan = { full: false, baseDeltaPaths: [], also: [] };

/** Takes the instants of a volume, and ends them. One freeze at a time. */
export class VolumeFreezer {
  readonly #deps: VolumeFreezerDeps;

  constructor(deps: VolumeFreezerDeps) {
    this.#deps = deps;
  }

  /** See BackupSource.freeze. */
  async freeze(plan: PlanKind): Promise<FrozenView> {
    const view = await this.#take(plan);
    view.plan();
    return view;
  }

  /** See BackupSource.hold. */
  async hold(): Promise<HeldInstant> {
    return await this.#take(undefined);
  }

  async #take(plan: PlanKind | undefined): Promise<VolumeView> {
    const { native, clock, chains, open } = this.#deps;
    const overlay = await open();
    return await chains.inTurn(async () => {
      // It may have been closed while others had their turn.
      await open();
      const { epoch } = native.reportOverlay(overlay);
      const viewPlan = plan && (await this.#planOf(plan, epoch - 1));
      const frozenAtMs = clock.nowMs();
      // Before the instant, so that no source goes in between that the view may need.
      chains.viewOpened(epoch);
      const view = await this.#freezeOverlay(overlay, epoch, viewPlan);
      return new VolumeView({
        native,
        overlay,
        view,
        volumeName: this.#name,
        geometry: this.#deps.geometry(),
        epoch,
        frozenAtMs,
        settle: (later) => this.#settle(overlay, view, epoch, later),
        end: () => this.#end(view, epoch),
      });
    });
  }

  /** @param through the last epoch that the plan may ask for */
  async #planOf(plan: PlanKind, through: number): Promise<ViewPlan> {
    if (plan.kind === 'full') return { ...NOTHING_YET, full: true };
    const { baseEpoch } = plan.base;
    const { chains, directory } = this.#deps;
    if (!chains.deltasCompleteSince(baseEpoch)) throw bitsLost(this.#name);
    const epochs = (await directory.sealedEpochs()).filter(
      (epoch) => epoch > baseEpoch && epoch <= through,
    );
    return {
      full: false,
      baseDeltaPaths: epochs.map((epoch) => directory.deltaPath(epoch)),
      also: plan.also ?? [],
    };
  }

  async #freezeOverlay(
    overlay: OverlayHandle,
    epoch: number,
    plan: ViewPlan | undefined,
  ): Promise<ViewHandle> {
    const { native, file, directory, chains } = this.#deps;
    try {
      return await native.freezeOverlay(overlay, {
        nextDeltaPath: directory.liveDeltaPath(file.current.session, epoch + 1),
        nextEpoch: epoch + 1,
        sealedDeltaPath: directory.deltaPath(epoch),
        sidePath: directory.sidePath(epoch),
        hold: plan === undefined,
        ...(plan ?? NOTHING_YET),
      });
    } catch (error) {
      chains.viewClosed(epoch);
      throw await this.#failed(error, epoch);
    }
  }

  async #settle(
    overlay: OverlayHandle,
    view: ViewHandle,
    epoch: number,
    plan: PlanKind,
  ): Promise<void> {
    const { native, chains } = this.#deps;
    const isAfterBase = plan.kind === 'full' || plan.base.baseEpoch < epoch;
    assert(isAfterBase, 'instants are used in the order in which they were taken');
    await chains.inTurn(async () => {
      try {
        // The delta that the instant sealed is one of them.
        await native.settleView(overlay, view, await this.#planOf(plan, epoch));
      } catch (error) {
        throw await this.#failed(error, epoch);
      }
    });
  }

  /** Bits that cannot be read are given up, so that the next cloudsnap is a full one. */
  async #failed(error: unknown, epoch: number): Promise<unknown> {
    if (errnoOf(error) === 'EBADMSG') await this.#deps.chains.loseBitsBefore(epoch);
    return freezingError(error, this.#name);
  }

  async #end(view: ViewHandle, epoch: number): Promise<void> {
    const { native, chains, sources } = this.#deps;
    try {
      const overlay = this.#deps.overlay();
      if (overlay) await native.endView(overlay, view);
    } finally {
      chains.viewClosed(epoch);
      if (!chains.hasOpenViews) await sources.closeRetired();
    }
  }

  get #name(): string {
    return this.#deps.file.current.name;
  }
}
