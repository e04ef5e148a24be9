import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { CloudsnapRepository } from '../../cloudsnap/cloudsnap-api.ts';
import type { SweepReport } from '../../cloudsnap/sweep/sweep-report.ts';
import type { Credential } from '../../secrets/credential.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { ManagedVolumes, Repositories } from '../domain.ts';
import type { SerialByKey } from '../serial-by-key.ts';
import { BackgroundLoop } from './background-loop.ts';
import type { CleanupTable } from './cleanup-table.ts';
import { snapNameOf, unfinishedUploads } from './unfinished-uploads.ts';

export interface SweeperDeps {
  readonly table: CleanupTable;
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly volumes: ManagedVolumes;
  readonly serial: SerialByKey;
  readonly clock: Clock;
  readonly log: Log;
  /** From one sweep of a repository to the next, more or less; 0: none by itself. */
  readonly intervalMs: number;
  /** 0 … 1, so that hosts do not come all at once. */
  readonly random: () => number;
}

export interface SweepWish {
  readonly dryRun: boolean;
  readonly takeover?: boolean;
}

/** A sweep that failed is tried again after this long, more or less. */
const RETRY_MS = 3_600_000;
/** Part of an interval by which each one is longer or shorter. */
const JITTER = 0.1;

/**
 * Sweeps the repository of each credential: now and then by itself, and when it is told to. When
 * the next sweep is due is on record, so that an agent that is often restarted sweeps as often.
 */
export class Sweeper {
  readonly #deps: SweeperDeps;
  #loop: BackgroundLoop | undefined;

  constructor(deps: SweeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log, intervalMs } = this.#deps;
    if (intervalMs === 0) return;
    const turn = (signal: AbortSignal) => this.#turn(signal);
    this.#loop = BackgroundLoop.start({ clock, log, name: 'sweep', turn });
  }

  async close(): Promise<void> {
    await this.#loop?.close();
  }

  /** One at a time in a repository. What an upload of this host may go on with is left alone. */
  async sweep(
    repository: CloudsnapRepository,
    { dryRun, takeover = false }: SweepWish,
    signal: AbortSignal,
  ): Promise<SweepReport> {
    const { serial, volumes, clock, log } = this.#deps;
    return serial.run(`sweep of ${repository.id}`, async () => {
      signal.throwIfAborted();
      const uploads = await unfinishedUploads(volumes, repository.id, clock.nowMs());
      const keep = new Set(uploads.map(snapNameOf));
      const report = await repository.sweep({ keep, dryRun, takeover }, signal);
      const { leftovers, listedObjects, trialObjects } = report;
      const counts = { leftovers: leftovers.length, listedObjects, trialObjects };
      log.info('sweep.completed', { repositoryId: repository.id, dryRun, ...counts });
      return report;
    });
  }

  async #turn(signal: AbortSignal): Promise<number> {
    const { credentials, clock } = this.#deps;
    let nextMs = Infinity;
    for (const credential of credentials.list()) {
      signal.throwIfAborted();
      nextMs = Math.min(nextMs, await this.#see(credential, signal));
    }
    return nextMs - clock.nowMs();
  }

  /** @returns when the credential's repository is due again. */
  async #see(credential: Credential, signal: AbortSignal): Promise<number> {
    const { table, clock, intervalMs, random, repositories, log } = this.#deps;
    const nowMs = clock.nowMs();
    const known = table.nextSweepMs(credential.id);
    // A clock that was set back does not put it off for ever.
    if (known !== undefined && known > nowMs && known - nowMs <= intervalMs * (1 + JITTER)) {
      return known;
    }
    let waitMs = intervalMs * (known === undefined ? random() : 1 + JITTER * (2 * random() - 1));
    if (known !== undefined) {
      try {
        await this.sweep(await repositories.open(credential), { dryRun: false }, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn('sweep.failed', { credentialId: credential.id, reason: messageOf(error) });
        waitMs = Math.min(intervalMs, RETRY_MS) * (0.5 + random() / 2);
      }
    }
    const nextMs = clock.nowMs() + waitMs;
    table.setNextSweep(credential.id, nextMs);
    return nextMs;
  }
}
