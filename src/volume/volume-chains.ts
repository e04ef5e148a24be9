import { Limiter } from '../base/limiter.ts';
import type { Log } from '../base/log.ts';
import type { VolumeState } from '../format/volume-state.ts';
import type { NativeOverlay } from '../native.ts';
import { tidyDeltas } from './deltas.ts';
import type { ChainTip, PendingCommit } from './volume-api.ts';
import type { VolumeDirectory } from './volume-directory.ts';
import type { VolumeStateFile } from './volume-state-file.ts';

export interface VolumeChainsOptions {
  readonly file: VolumeStateFile;
  readonly directory: VolumeDirectory;
  readonly native: NativeOverlay;
  readonly log: Log;
  /** Undefined while the overlay is not open. */
  readonly activeEpoch: () => number | undefined;
}

/**
 * Where a volume's chains stand, and which sealed deltas they need. Freezes and changes of chains
 * follow each other: a delta is never dropped while a freeze reads it.
 */
export class VolumeChains {
  readonly #options: VolumeChainsOptions;
  readonly #turn = new Limiter(1);
  readonly #openViews = new Set<number>();

  constructor(options: VolumeChainsOptions) {
    this.#options = options;
  }

  get hasOpenViews(): boolean {
    return this.#openViews.size > 0;
  }

  tip(repositoryId: string): ChainTip | undefined {
    return this.#state.chains.find((chain) => chain.repositoryId === repositoryId);
  }

  pending(repositoryId: string): PendingCommit | undefined {
    return this.#state.pendingCommits.find((pending) => pending.repositoryId === repositoryId);
  }

  deltasCompleteSince(baseEpoch: number): boolean {
    return baseEpoch >= this.#state.bitsLostBefore;
  }

  /** Bits of earlier epochs cannot be relied on: chains with an older base need a full. */
  async loseBitsBefore(epoch: number): Promise<void> {
    await this.#options.file.update(({ bitsLostBefore }) => ({
      bitsLostBefore: Math.max(bitsLostBefore, epoch),
    }));
  }

  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    return await this.#turn.run(work);
  }

  viewOpened(epoch: number): void {
    this.#openViews.add(epoch);
  }

  viewClosed(epoch: number): void {
    this.#openViews.delete(epoch);
  }

  async commit(tip: ChainTip): Promise<void> {
    const { repositoryId, baseEpoch, cloudsnapId, manifestSha256, sequence, incrementals } = tip;
    const chain = {
      repositoryId,
      baseEpoch,
      cloudsnapId,
      manifestSha256,
      sequence,
      incrementals,
    };
    await this.#change(({ chains, pendingCommits }) => ({
      chains: [...others(chains, repositoryId), chain],
      pendingCommits: others(pendingCommits, repositoryId),
    }));
  }

  async recordPending(pending: PendingCommit): Promise<void> {
    const { repositoryId, cloudsnapId, epoch, createdMs } = pending;
    await this.#change(({ pendingCommits }) => ({
      pendingCommits: [
        ...others(pendingCommits, repositoryId),
        { repositoryId, cloudsnapId, epoch, createdMs },
      ],
    }));
  }

  async drop(repositoryId: string): Promise<void> {
    await this.#change(({ chains, pendingCommits }) => ({
      chains: others(chains, repositoryId),
      pendingCommits: others(pendingCommits, repositoryId),
    }));
  }

  async #change(change: (state: VolumeState) => Partial<VolumeState>): Promise<void> {
    const { file, activeEpoch } = this.#options;
    await this.inTurn(async () => {
      // The epoch goes with it: the deltas before it may be dropped from now on.
      await file.update((state) => ({ ...change(state), epoch: activeEpoch() ?? state.epoch }));
      await this.#tidy();
    });
  }

  /** The change is made and durable: deltas that stay longer than needed cost space only. */
  async #tidy(): Promise<void> {
    const { directory, native, log } = this.#options;
    try {
      await tidyDeltas(this.#state, this.#openViews, directory, native);
    } catch (error) {
      log.warn('volume.deltas-not-tidied', { volumeId: this.#state.id, error });
    }
  }

  get #state(): VolumeState {
    return this.#options.file.current;
  }
}

function others<T extends { readonly repositoryId: string }>(
  records: readonly T[],
  repositoryId: string,
): T[] {
  return records.filter((record) => record.repositoryId !== repositoryId);
}
