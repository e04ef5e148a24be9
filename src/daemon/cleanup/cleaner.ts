import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { ClusterId, VolumeId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { CloudsnapRepository } from '../../cloudsnap/cloudsnap-api.ts';
import type { ManagedVolumes } from '../domain.ts';
import { BackgroundLoop } from './background-loop.ts';
import type { Cleanup, CleanupTable, PendingCleanup } from './cleanup-table.ts';
import { findRepository, type FindRepositoryDeps } from './find-repository.ts';

export interface CleanerDeps extends FindRepositoryDeps {
  readonly table: CleanupTable;
  readonly volumes: ManagedVolumes;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 … 1, so that hosts do not come all at once. */
  readonly random: () => number;
}

/** A store that is away is asked again soon, then ever more seldom. */
const FIRST_RETRY_MS = 10_000;
const MAX_RETRY_MS = 10 * 60_000;
const IDLE_MS = Infinity;

/**
 * Removes in the background what nobody sees any more: objects of cloudsnaps that are marked as
 * deleted, and of uploads whose volume is gone. What is to be done is on record, so that it goes on
 * after a failure, and after the end of the agent.
 */
export class Cleaner {
  readonly #deps: CleanerDeps;
  #loop: BackgroundLoop | undefined;
  #failures = 0;
  /** Before that what failed is not tried again. */
  #retryMs = 0;

  constructor(deps: CleanerDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log } = this.#deps;
    const turn = (signal: AbortSignal) => this.#turn(signal);
    this.#loop = BackgroundLoop.start({ clock, log, name: 'cleanup', turn });
  }

  async close(): Promise<void> {
    await this.#loop?.close();
  }

  /** To be called before what makes it necessary; for something that never comes it is no harm. */
  note(cleanup: Cleanup): void {
    this.#deps.table.insert(cleanup);
  }

  /** What was noted can be done now. */
  wake(): void {
    this.#failures = 0;
    this.#retryMs = 0;
    this.#loop?.wake();
  }

  async #turn(signal: AbortSignal): Promise<number> {
    const { table, log, clock, random } = this.#deps;
    const waitMs = this.#retryMs - clock.nowMs();
    // A clock that was set back does not put it off for ever.
    if (waitMs > 0 && waitMs <= MAX_RETRY_MS) return waitMs;
    let isLeft = false;
    for (const [, pending] of Map.groupBy(table.list(), keyOf)) {
      signal.throwIfAborted();
      const [first] = pending;
      try {
        if (first && !(await this.#clean(first, signal))) isLeft = true;
        else for (const { id } of pending) table.delete(id);
      } catch (error) {
        signal.throwIfAborted();
        isLeft = true;
        log.warn('cleanup.postponed', { ...first, reason: messageOf(error) });
      }
    }
    if (!isLeft) {
      this.#failures = 0;
      return IDLE_MS;
    }
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    const jitteredMs = delayMs * (0.5 + random() / 2);
    this.#retryMs = clock.nowMs() + jitteredMs;
    return jitteredMs;
  }

  /** @returns false when it has to be tried again. */
  async #clean(cleanup: PendingCleanup, signal: AbortSignal): Promise<boolean> {
    const repository = await findRepository(this.#deps, cleanup.repositoryId);
    if (!repository) {
      // Whoever gets a credential for it sweeps it.
      this.#deps.log.warn('cleanup.given-up', { ...cleanup });
      return true;
    }
    if (cleanup.kind === 'upload') return await this.#discard(repository, cleanup, signal);
    const clusterId = cleanup.clusterId as ClusterId;
    const place = { clusterId, volumeId: cleanup.volumeId as VolumeId };
    return (await repository.finishDeletions(place, signal)) === 0;
  }

  async #discard(
    repository: CloudsnapRepository,
    { volumeId, snapName }: Cleanup,
    signal: AbortSignal,
  ): Promise<boolean> {
    // It was noted, and the volume was not deleted after all: the next backup may go on with it.
    const isHere = this.#deps.volumes.list().some(({ id }) => id === volumeId);
    if (!isHere) await repository.discardUpload(snapName, signal);
    return true;
  }
}

function keyOf({ kind, repositoryId, clusterId, volumeId, snapName }: Cleanup): string {
  return [kind, repositoryId, clusterId, volumeId, snapName].join('\n');
}
