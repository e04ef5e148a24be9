import { CloudvolError } from '../../base/errors.ts';
import type { Handlers } from '../../control/server.ts';
import type { TaskRecord } from '../../tasks/task-api.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import type { ManagedVolume, ManagedVolumes, VolumeBacking } from '../domain.ts';
import type { SerialByKey } from '../serial-by-key.ts';
import type { RestoreService } from './restore-service.ts';
import type { VolumeService } from './volume-service.ts';

export interface HydrationServiceDeps {
  readonly volumes: ManagedVolumes;
  readonly tasks: TaskRunner;
  readonly serial: SerialByKey;
  readonly restores: Pick<RestoreService, 'hydrate'>;
  readonly views: Pick<VolumeService, 'view'>;
}

type HydrationInput = Parameters<Handlers['hydrateVolume']>[0];

/** How a volume in use is filled in the background. What is said here outlasts the agent. */
export class HydrationService implements Pick<Handlers, 'hydrateVolume'> {
  readonly #deps: HydrationServiceDeps;

  constructor(deps: HydrationServiceDeps) {
    this.#deps = deps;
  }

  readonly hydrateVolume: Handlers['hydrateVolume'] = async (input) => {
    const { volumes, serial, views } = this.#deps;
    const { id } = volumes.find(input.volume);
    return serial.run(id, async () => {
      const volume = volumes.find(id);
      this.#refuseWhileRestoring(volume);
      if (isChange(input)) {
        await volume.changeBacking((backing) => changed(backing, input));
        if (input.active === false) await this.#pause(volume);
        if (input.active === true) await this.#resume(volume);
      }
      return views.view(volume);
    });
  };

  async #pause(volume: ManagedVolume): Promise<void> {
    const { tasks } = this.#deps;
    const { name } = volume.attributes;
    for (const { id } of this.#tasksOf(volume)) {
      const reason = new CloudvolError('task/paused', 'paused on request', {
        hint: `it goes on after: cloudvol volume hydrate ${name} --resume`,
      });
      tasks.stop(id, reason);
      await tasks.ended(id);
    }
  }

  async #resume(volume: ManagedVolume): Promise<void> {
    const { backing } = await volume.inspect();
    const source = volume.backingSource;
    if (!backing || !source || this.#tasksOf(volume).length > 0) return;
    this.#deps.restores.hydrate(volume, source, backing.cloudsnapId, backing.credentialId);
  }

  /** An eager restore is no hydration in the background: its volume is not there yet. */
  #refuseWhileRestoring({ id, attributes: { name } }: ManagedVolume): void {
    const isRestoring = this.#deps.tasks
      .running()
      .some((task) => task.volumeId === id && task.result['mode'] === 'eager');
    if (!isRestoring) return;
    throw new CloudvolError('volume/restoring', `volume ${name} is still being restored`, {
      hint: 'wait for the restore (cloudvol cloudsnap status), or restore with --lazy',
    });
  }

  #tasksOf({ id }: ManagedVolume): TaskRecord[] {
    const running = this.#deps.tasks.running();
    return running.filter(({ volumeId, kind }) => volumeId === id && kind === 'Hydrate');
  }
}

/** Without one it is only looked at. */
function isChange(input: HydrationInput): boolean {
  return Object.keys(input).some((name) => name !== 'volume');
}

/** Zero takes a limit away. */
function changed(
  { rateBytesPerSecond, absentTimeoutMs, ...backing }: VolumeBacking,
  input: HydrationInput,
): VolumeBacking {
  const rate = input.rateBytesPerSecond ?? rateBytesPerSecond;
  const timeoutMs =
    input.absentTimeoutSeconds === undefined ? absentTimeoutMs : input.absentTimeoutSeconds * 1000;
  return {
    ...backing,
    hydrate: input.active ?? backing.hydrate,
    ...(rate && { rateBytesPerSecond: rate }),
    ...(timeoutMs && { absentTimeoutMs: timeoutMs }),
  };
}
