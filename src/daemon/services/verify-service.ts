import { randomInt } from 'node:crypto';

import { CloudvolError, hasCode } from '../../base/errors.ts';
import type { CloudsnapRepository } from '../../cloudsnap/cloudsnap-api.ts';
import type { DamageRegister } from '../../cloudsnap/damage-register.ts';
import { damageSentence } from '../../cloudsnap/verify/damage-sentence.ts';
import type { ReportTable } from '../../cloudsnap/verify/report-table.ts';
import type { VerifyReport } from '../../cloudsnap/verify/verify-report.ts';
import type { Handlers } from '../../control/server.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { TaskContext } from '../../tasks/task-api.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import { withStallLimit } from '../../tasks/with-stall-limit.ts';
import type { ManagedVolumes, Repositories, Surroundings } from '../domain.ts';
import { taskView } from './views.ts';

type VerifyCalls = 'verifyCloudsnap' | 'inspectVerification';

export interface VerifyServiceDeps extends Surroundings {
  readonly volumes: ManagedVolumes;
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly tasks: TaskRunner;
  readonly damage: DamageRegister;
  readonly reports: ReportTable;
}

interface Wanted {
  readonly repository: CloudsnapRepository;
  readonly cloudsnapId: string;
  readonly percent: number;
  readonly seed: number;
}

/**
 * Verifications of cloudsnaps, also of other clusters and of volumes that are not here. A damaged
 * cloudsnap ends its task as Failed with `cloudsnap/corrupt`: whoever looks at tasks only sees it.
 */
export class VerifyService implements Pick<Handlers, VerifyCalls> {
  readonly #deps: VerifyServiceDeps;

  constructor(deps: VerifyServiceDeps) {
    this.#deps = deps;
  }

  readonly verifyCloudsnap: Handlers['verifyCloudsnap'] = async (input, signal) => {
    const { credentials, repositories, tasks, clock, stallLimitMs } = this.#deps;
    const credential = credentials.find(input.credential);
    const repository = await repositories.open(credential);
    const volume = await this.#volumeOf(repository, input.cloudsnap, signal);
    // A seed of 32 bits, so that the next sample is another one unless it is asked for again.
    const { percent = 100, seed = randomInt(2 ** 32) } = input;
    const cloudsnapId = input.cloudsnap;
    const task = tasks.submit(
      {
        kind: 'Verify',
        volumeId: volume.id,
        volumeName: volume.name,
        credentialId: credential.id,
        cloudsnapId,
        result: { percent, seed },
      },
      async (context) => {
        const wanted = { repository, cloudsnapId, percent, seed };
        await withStallLimit(context, { limitMs: stallLimitMs, clock }, (watched) =>
          this.#verify(wanted, watched),
        );
      },
    );
    return taskView(task, this.#deps);
  };

  readonly inspectVerification: Handlers['inspectVerification'] = ({ task }) => {
    const report = this.#deps.reports.find(task);
    if (report) return structuredClone(report) as Mutable<VerifyReport>;
    const { kind, state } = this.#deps.tasks.find(task);
    throw new CloudvolError(
      'verification/not-found',
      `task ${task} has no report: ${kind} ${state}`,
      {
        hint: 'a verification has one when it has looked at everything',
      },
    );
  };

  /** A manifest that cannot be read is what a verification is there to say. */
  async #volumeOf(repository: CloudsnapRepository, cloudsnapId: string, signal: AbortSignal) {
    try {
      return (await repository.find(cloudsnapId, signal)).manifest.volume;
    } catch (error) {
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
      const id = cloudsnapId.slice(cloudsnapId.indexOf('/') + 1).split('-')[0] ?? '';
      const here = this.#deps.volumes.list().find((volume) => volume.id === id);
      return { id, name: here?.attributes.name ?? '' };
    }
  }

  async #verify(wanted: Wanted, task: TaskContext): Promise<void> {
    const { repository, cloudsnapId, percent, seed } = wanted;
    const onProgress = (bytes: { bytesTotal: number; bytesDone: number }) => task.progress(bytes);
    const options = { percent, seed, onProgress };
    const report = await repository.verify(cloudsnapId, options, task.signal);
    this.#remember(repository.id, report);
    this.#deps.reports.put(task.id, report);
    const { packs, pages, blocks, blocksRead, bytesRead, damage } = report;
    const damagedObjects = damage.length;
    task.result({ packs, pages, blocks, blocksRead, bytesRead, damagedObjects });
    for (const finding of damage) task.note(`${damageSentence(finding)}.`);
    if (damage.length > 0) throw this.#damaged(report);
  }

  /** Only who has read everything may say that nothing is wrong any more. */
  #remember(repositoryId: string, report: VerifyReport): void {
    const { damage, cloudsnapId, volumeId, percent } = report;
    const { damage: register } = this.#deps;
    if (damage.length === 0 && percent === 100) register.clear(repositoryId, cloudsnapId);
    for (const finding of damage) register.note({ repositoryId, volumeId, ...finding });
  }

  #damaged({ cloudsnapId, volumeId, damage }: VerifyReport): CloudvolError {
    const isHere = this.#deps.volumes.list().some(({ id }) => id === volumeId);
    const objects = damage.length === 1 ? 'one object' : `${damage.length} objects`;
    return new CloudvolError('cloudsnap/corrupt', `${cloudsnapId} is damaged in ${objects}`, {
      hint: isHere
        ? 'back the volume up: the next cloudsnap repairs what the volume still has'
        : 'restore a cloudsnap that is not hurt: cloudvol cloudsnap list',
    });
  }
}

type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
    : T;
