import { CloudvolError } from '../../base/errors.ts';
import { checkName } from '../../base/name.ts';
import type { CloudsnapEntry } from '../../cloudsnap/cloudsnap-api.ts';
import type { Handlers } from '../../control/server.ts';
import { restoredAttributes } from '../../restore/restore-attributes.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { Credential } from '../../secrets/credential.ts';
import type { TaskContext, TaskRecord } from '../../tasks/task-api.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import { withStallLimit } from '../../tasks/with-stall-limit.ts';
import type { BackingSource } from '../../volume/backing-source.ts';
import type {
  ManagedVolume,
  ManagedVolumes,
  Recipes,
  Repositories,
  Surroundings,
  VolumeBacking,
} from '../domain.ts';
import type { SerialByKey } from '../serial-by-key.ts';
import { taskView, volumeView } from './views.ts';
import { NEW_VOLUME } from './volume-service.ts';

type RestoreInput = Parameters<Handlers['restore']>[0];

export interface RestoreServiceDeps extends Surroundings {
  readonly volumes: ManagedVolumes;
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly recipes: Pick<Recipes, 'openChainSource' | 'hydrate' | 'hydrateLazily'>;
  readonly tasks: TaskRunner;
  readonly serial: SerialByKey;
}

/**
 * Eager: a new volume without blocks, filled by the Restore task, usable when that is done; a task
 * that fails or is stopped takes the volume with it. Lazy: the same volume, usable at once; a
 * Hydrate task fills it in the background.
 */
export class RestoreService implements Pick<Handlers, 'restore'> {
  readonly #deps: RestoreServiceDeps;

  constructor(deps: RestoreServiceDeps) {
    this.#deps = deps;
  }

  readonly restore: Handlers['restore'] = async (input, signal) => {
    this.#checkInput(input);
    const { credentials, repositories, node } = this.#deps;
    const credential = credentials.find(input.credential);
    const repository = await repositories.open(credential);
    const entry = await repository.find(input.cloudsnap, signal);
    const source = await this.#deps.recipes.openChainSource(repository, entry);
    const volume = await this.#createVolume(input, entry, credential, source);
    try {
      const isLazy = input.lazy ?? false;
      const task = this.#submitRestore(volume, source, entry, credential, isLazy);
      const hydrateTask =
        isLazy && (input.hydrate ?? true)
          ? this.hydrate(volume, source, task.cloudsnapId, credential.id)
          : undefined;
      return {
        volume: await volumeView(volume, node, !isLazy),
        task: taskView(task, this.#deps),
        hydrateTask: hydrateTask ? taskView(hydrateTask, this.#deps) : null,
      };
    } catch (error) {
      await this.#discard(volume);
      throw error;
    }
  };

  /**
   * Starts to fill a volume in the background: after a lazy restore, and again after a restart of
   * the agent.
   */
  hydrate(
    volume: ManagedVolume,
    source: BackingSource,
    cloudsnapId: string,
    credentialId: string,
  ): TaskRecord {
    const { tasks, recipes } = this.#deps;
    const { name } = volume.attributes;
    return tasks.submit(
      { kind: 'Hydrate', volumeId: volume.id, volumeName: name, cloudsnapId, credentialId },
      (context) => recipes.hydrateLazily(volume, source, context),
    );
  }

  /**
   * An eager restore that the end of an agent cut off leaves half a volume, which nobody was given:
   * it goes.
   */
  async discardInterrupted(interrupted: readonly TaskRecord[]): Promise<void> {
    const halfMade = interrupted
      .filter(({ kind, result }) => kind === 'Restore' && result['mode'] === 'eager')
      .map(({ volumeId }) => volumeId);
    for (const volume of this.#deps.volumes.list()) {
      if (halfMade.includes(volume.id)) await this.#discard(volume);
    }
  }

  #checkInput({ lazy, hydrate, name, node, ...limits }: RestoreInput): void {
    if (name !== undefined) checkName('volume', name);
    if (node !== undefined && node !== this.#deps.node) {
      throw new CloudvolError(
        'agent/no-such-node',
        `this agent runs on ${this.#deps.node}, not on ${node}`,
        {
          hint: 'ask the agent of that node, or leave --node out',
        },
      );
    }
    const isLimited = Object.keys(limitsOf(limits)).length > 0;
    if (isLimited && !lazy) {
      throw new CloudvolError('request/invalid', 'an eager restore knows no limits of its own', {
        hint: 'use --rate and --absent-timeout together with --lazy',
      });
    }
    if (hydrate === undefined || lazy) return;
    throw new CloudvolError('request/invalid', 'an eager restore always fills the volume', {
      hint: 'use --no-hydrate together with --lazy',
    });
  }

  async #createVolume(
    input: RestoreInput,
    { manifest }: CloudsnapEntry,
    credential: Credential,
    source: BackingSource,
  ): Promise<ManagedVolume> {
    const { volumes, serial } = this.#deps;
    try {
      return await serial.run(NEW_VOLUME, async () => {
        const taken = new Set(volumes.list().map(({ attributes }) => attributes.name));
        const attributes = restoredAttributes(manifest, input.name, (name) => taken.has(name));
        return volumes.createAbsent({
          name: attributes.name,
          sizeBytes: attributes.geometry.sizeBytes,
          blockBytes: attributes.geometry.blockBytes,
          fileSystem: attributes.fileSystem,
          labels: attributes.labels,
          backing: {
            credentialId: credential.id,
            cloudsnapId: manifest.cloudsnapId,
            hydrate: input.hydrate ?? true,
            ...limitsOf(input),
          },
          source,
        });
      });
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  #submitRestore(
    volume: ManagedVolume,
    source: BackingSource,
    { manifest }: CloudsnapEntry,
    credential: Credential,
    isLazy: boolean,
  ): TaskRecord {
    const spec = {
      kind: 'Restore',
      volumeId: volume.id,
      volumeName: volume.attributes.name,
      cloudsnapId: manifest.cloudsnapId,
      credentialId: credential.id,
      result: { mode: isLazy ? 'lazy' : 'eager' },
    } as const;
    return this.#deps.tasks.submit(spec, async (context) => {
      if (!isLazy) await this.#fill(volume, source, context);
    });
  }

  async #fill(volume: ManagedVolume, source: BackingSource, task: TaskContext): Promise<void> {
    const { recipes, clock, stallLimitMs: limitMs } = this.#deps;
    try {
      await withStallLimit(task, { limitMs, clock }, (watched) =>
        recipes.hydrate(volume, source, watched),
      );
    } catch (error) {
      await this.#discard(volume);
      throw error;
    }
  }

  /** Never throws: the reason why the volume has to go is what the user is to hear. */
  async #discard(volume: ManagedVolume): Promise<void> {
    const { volumes, log } = this.#deps;
    const names = { volumeId: volume.id, name: volume.attributes.name };
    try {
      await volumes.delete(volume);
      log.info('volume.discarded', names);
    } catch (error) {
      log.error('volume.not-discarded', { ...names, error });
    }
  }
}

/** Zero is no limit. */
function limitsOf({
  rateBytesPerSecond,
  absentTimeoutSeconds,
}: Pick<RestoreInput, 'rateBytesPerSecond' | 'absentTimeoutSeconds'>): Pick<
  VolumeBacking,
  'rateBytesPerSecond' | 'absentTimeoutMs'
> {
  return {
    ...(rateBytesPerSecond && { rateBytesPerSecond }),
    ...(absentTimeoutSeconds && { absentTimeoutMs: absentTimeoutSeconds * 1000 }),
  };
}
