import { isAbsolute } from 'node:path';

import type { ScheduleTable } from '../../backup/schedule/schedule-table.ts';
import { CloudvolError } from '../../base/errors.ts';
import { DEFAULT_BLOCK_BYTES, geometryOf } from '../../base/geometry.ts';
import { checkLabels } from '../../base/labels.ts';
import { checkName } from '../../base/name.ts';
import { findUnfinishedUpload } from '../../cloudsnap/unfinished-upload.ts';
import type { Handlers } from '../../control/server.ts';
import type { VolumeView } from '../../control/schemas.ts';
import { parseCloudsnapId } from '../../format/cloudsnap-id.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import type { Cleaner } from '../cleanup/cleaner.ts';
import type { ManagedVolume, ManagedVolumes, Surroundings } from '../domain.ts';
import type { SerialByKey } from '../serial-by-key.ts';
import { taskView, volumeView } from './views.ts';

type VolumeCalls =
  | 'createVolume'
  | 'listVolumes'
  | 'inspectVolume'
  | 'deleteVolume'
  | 'attachVolume'
  | 'detachVolume'
  | 'mountVolume'
  | 'unmountVolume';

export interface VolumeServiceDeps extends Surroundings {
  readonly volumes: ManagedVolumes;
  readonly tasks: TaskRunner;
  /** One change at a time per volume, and one new name at a time. */
  readonly serial: SerialByKey;
  readonly schedules: ScheduleTable;
  readonly cleaner: Pick<Cleaner, 'note' | 'wake'>;
}

/** Key of SerialByKey for whatever makes a volume: two must not find the same name free. */
export const NEW_VOLUME = 'new volume';

export class VolumeService implements Pick<Handlers, VolumeCalls> {
  readonly #deps: VolumeServiceDeps;

  constructor(deps: VolumeServiceDeps) {
    this.#deps = deps;
  }

  readonly createVolume: Handlers['createVolume'] = async (input) => {
    const { name, sizeBytes, blockBytes = DEFAULT_BLOCK_BYTES, fileSystem = 'ext4' } = input;
    checkName('volume', name);
    geometryOf(sizeBytes, blockBytes);
    const labels = checkLabels(input.labels ?? {});
    return this.#deps.serial.run(NEW_VOLUME, async () => {
      const attributes = { name, sizeBytes, blockBytes, fileSystem, labels };
      return this.view(await this.#deps.volumes.create(attributes));
    });
  };

  /** By name: the order in which they were loaded says nothing. */
  readonly listVolumes: Handlers['listVolumes'] = async () => {
    const volumes = this.#deps.volumes.list();
    const views = await Promise.all(volumes.map((volume) => this.view(volume)));
    return views.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  };

  readonly inspectVolume: Handlers['inspectVolume'] = async ({ volume }) =>
    this.view(this.#deps.volumes.find(volume));

  readonly deleteVolume: Handlers['deleteVolume'] = async (input) => {
    await this.#change(input.volume, async (volume) => {
      this.#refuseWhileBusy(volume);
      await this.stopHydration(volume);
      await this.#noteUploads(volume);
      await this.#deps.volumes.delete(volume);
      this.#deps.cleaner.wake();
      this.#deps.schedules.deleteOfVolume(volume.id);
    });
    return {};
  };

  readonly attachVolume: Handlers['attachVolume'] = async (input) =>
    this.#change(input.volume, async (volume) => {
      this.#refuseWhileRestoring(volume);
      await volume.attach({ loop: input.loop ?? false });
      return this.view(volume);
    });

  readonly detachVolume: Handlers['detachVolume'] = async (input) =>
    this.#change(input.volume, async (volume) => {
      await volume.detach();
      return this.view(volume);
    });

  readonly mountVolume: Handlers['mountVolume'] = async (input) =>
    this.#change(input.volume, async (volume) => {
      this.#refuseWhileRestoring(volume);
      if (!isAbsolute(input.path) || input.path.includes('\0')) {
        const message = `${JSON.stringify(input.path)} is not an absolute path to mount on`;
        throw new CloudvolError('volume/bad-path', message, { hint: 'give --path a directory' });
      }
      await volume.mount(input.path);
      return this.view(volume);
    });

  readonly unmountVolume: Handlers['unmountVolume'] = async (input) =>
    this.#change(input.volume, async (volume) => {
      await volume.unmount();
      return this.view(volume);
    });

  /** What the volume has uploaded and not published goes with it: nobody goes on with that. */
  async #noteUploads(volume: ManagedVolume): Promise<void> {
    const { cleaner, clock } = this.#deps;
    for (const path of await volume.uploadJournalPaths()) {
      const upload = await findUnfinishedUpload(path, clock.nowMs());
      const name = upload && parseCloudsnapId(upload.cloudsnapId);
      if (!name) continue;
      const { clusterId, snapName } = name;
      const { repositoryId } = upload;
      cleaner.note({ kind: 'upload', repositoryId, clusterId, volumeId: volume.id, snapName });
    }
  }

  /** Ends the background filling of a volume, and waits for that. */
  async stopHydration(volume: ManagedVolume): Promise<void> {
    for (const task of this.#tasksOf(volume, 'Hydrate')) {
      this.#deps.tasks.stop(task.id);
      await this.#deps.tasks.ended(task.id);
    }
  }

  view(volume: ManagedVolume): Promise<VolumeView> {
    const [hydration] = this.#tasksOf(volume, 'Hydrate');
    const task = hydration && taskView(hydration, this.#deps);
    return volumeView(volume, this.#deps.node, this.#isRestoring(volume), task);
  }

  /** @throws CloudvolError `volume/restoring` while an eager restore fills the volume */
  #refuseWhileRestoring(volume: ManagedVolume): void {
    if (!this.#isRestoring(volume)) return;
    const { name } = volume.attributes;
    throw new CloudvolError('volume/restoring', `volume ${name} is still being restored`, {
      hint: 'wait for the restore (cloudvol cloudsnap status), or restore with --lazy',
    });
  }

  #refuseWhileBusy(volume: ManagedVolume): void {
    const { name } = volume.attributes;
    const [task] = this.#tasksOf(volume, 'Backup', 'Restore', 'Delete');
    if (task) {
      throw new CloudvolError(
        'volume/in-use',
        `volume ${name} is in use by the ${task.kind.toLowerCase()} ${task.id}`,
        { hint: `wait for it, or stop it: cloudvol cloudsnap stop --name ${task.id}` },
      );
    }
    if (volume.status === 'attached' || volume.status === 'mounted') {
      const undo = volume.status === 'mounted' ? 'unmount' : 'detach';
      throw new CloudvolError('volume/in-use', `volume ${name} is ${volume.status}`, {
        hint: `first: cloudvol volume ${undo} ${name}`,
      });
    }
  }

  #isRestoring(volume: ManagedVolume): boolean {
    return this.#tasksOf(volume, 'Restore').some(({ result }) => result['mode'] === 'eager');
  }

  #tasksOf(volume: ManagedVolume, ...kinds: string[]) {
    return this.#deps.tasks
      .running()
      .filter((task) => task.volumeId === volume.id && kinds.includes(task.kind));
  }

  async #change<T>(reference: string, work: (volume: ManagedVolume) => Promise<T>): Promise<T> {
    const { id } = this.#deps.volumes.find(reference);
    // Looked up again when its turn comes: the one before may have deleted it.
    return this.#deps.serial.run(id, async () => work(this.#deps.volumes.find(id)));
  }
}
