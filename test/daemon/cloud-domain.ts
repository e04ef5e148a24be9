import { geometryOf } from '../../src/base/geometry.ts';
import type { ClusterId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import type { BackupRequest } from '../../src/backup/run-backup.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import type { TaskContext } from '../../src/tasks/task-api.ts';
import type { CloudsnapLab } from '../cloudsnap/cloudsnap-lab.ts';
import { FakeDomain } from './fake-domain.ts';

const BLOCK = 4096;

/** Volumes are fakes, cloudsnaps are real ones, in memory. */
export class CloudDomain extends FakeDomain {
  readonly cloud: CloudsnapLab;
  repository!: CloudsnapRepository;

  constructor(cloud: CloudsnapLab) {
    super();
    this.cloud = cloud;
  }

  override async openRepository(_store: unknown, clusterId: ClusterId) {
    const { store, clock } = this.cloud;
    this.repository = await openRepository({ store, clusterId, clock, log: silentLog });
    return this.repository;
  }

  /** From now on a backup makes a cloudsnap of one block, full or incremental as it is asked. */
  backUpForReal(): void {
    this.recipes.runBackup = (request, task) => this.#backUp(request, task);
  }

  async #backUp(request: BackupRequest, task: TaskContext): Promise<CloudsnapEntry> {
    const { repository, source, type, full, frequency } = request;
    const before = (await repository.list({ volumeId: source.id })).at(-1);
    const isFull = full || !before || before.manifest.incrementals + 1 >= frequency;
    const { name, fileSystem, labels } = source.attributes;
    const geometry = geometryOf(4 * BLOCK, BLOCK);
    const plan = {
      volume: { id: source.id, name, geometry, fileSystem, labels },
      parent: isFull ? null : before,
      fullReason: isFull ? 'first' : null,
      createdMs: this.cloud.clock.nowMs(),
      type,
      consistency: 'crash',
      plannedBlocks: 1,
    } as const;
    const writer = await repository.begin(plan, task.signal);
    task.progress({ cloudsnapId: writer.cloudsnapId });
    await writer.writeBlocks(0, new Uint8Array(BLOCK).fill(1 + (this.cloud.clock.nowMs() % 250)));
    return writer.commit();
  }
}
