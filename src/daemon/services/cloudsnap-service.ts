import { DEFAULT_FREQUENCY } from '../../backup/plan-backup.ts';
import type { BackupRequest } from '../../backup/run-backup.ts';
import { CloudvolError } from '../../base/errors.ts';
import { checkLabels } from '../../base/labels.ts';
import type {
  CloudsnapEntry,
  CloudsnapRepository,
  CloudsnapType,
} from '../../cloudsnap/cloudsnap-api.ts';
import type { DamageRegister } from '../../cloudsnap/damage-register.ts';
import type { Handlers } from '../../control/server.ts';
import type { CloudsnapView } from '../../control/schemas.ts';
import { isClusterId } from '../../format/cloudsnap-id.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { TaskContext, TaskRecord } from '../../tasks/task-api.ts';
import type { TaskSpec } from '../../tasks/task-spec.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import { withStallLimit } from '../../tasks/with-stall-limit.ts';
import type { HeldInstant } from '../../volume/volume-api.ts';
import type { Cleaner } from '../cleanup/cleaner.ts';
import { unfinishedUploads } from '../cleanup/unfinished-uploads.ts';
import type { ManagedVolumes, Recipes, Repositories, Surroundings } from '../domain.ts';
import { SerialByKey } from '../serial-by-key.ts';
import { withNameTold } from '../with-name-told.ts';
import { cloudsnapView, isoTime, taskView, unfinishedView } from './views.ts';

type CloudsnapCalls = 'backup' | 'listCloudsnaps' | 'deleteCloudsnap';
type ListInput = Parameters<Handlers['listCloudsnaps']>[0];

export interface BackupInput {
  readonly volume: string;
  readonly credential: string | undefined;
  readonly type: CloudsnapType;
  readonly full: boolean;
  readonly frequency: number;
  /** Of the cloudsnap, besides the volume's. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Told the id of the cloudsnap as soon as it has one, which is before it is visible. */
  readonly onNamed?: (cloudsnapId: string) => void;
  /** Takes the volume over from another host at once. */
  readonly takeover?: boolean;
}

export interface DeleteInput {
  readonly repository: CloudsnapRepository;
  readonly entry: CloudsnapEntry;
  readonly credentialId: string;
  /** Takes the volume over from another host at once. */
  readonly takeover?: boolean;
  /** Asked when its turn has come. @throws when it is not to be deleted after all. */
  readonly confirm?: (signal: AbortSignal) => Promise<void>;
}

export interface CloudsnapServiceDeps extends Surroundings {
  readonly volumes: ManagedVolumes;
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly recipes: Pick<Recipes, 'runBackup'>;
  readonly tasks: TaskRunner;
  readonly damage: DamageRegister;
  readonly cleaner: Pick<Cleaner, 'note' | 'wake'>;
}

export class CloudsnapService implements Pick<Handlers, CloudsnapCalls> {
  readonly #deps: CloudsnapServiceDeps;
  readonly #instants = new SerialByKey();

  constructor(deps: CloudsnapServiceDeps) {
    this.#deps = deps;
  }

  readonly backup: Handlers['backup'] = async (input) =>
    taskView(
      await this.startBackup({
        volume: input.volume,
        credential: input.credential,
        type: 'Manual',
        full: input.full ?? false,
        frequency: input.frequency ?? DEFAULT_FREQUENCY,
        labels: input.labels ?? {},
        takeover: input.takeover ?? false,
      }),
      this.#deps,
    );

  /** Queues a backup, also for the schedules; its instant is now, whenever its turn comes. */
  async startBackup(input: BackupInput): Promise<TaskRecord> {
    const { volumes, credentials, repositories, tasks, damage, clock, log } = this.#deps;
    const source = volumes.find(input.volume);
    const { name } = source.attributes;
    refuseWhileRestoring(tasks, source.id, name);
    const labels = checkLabels({ ...source.attributes.labels, ...input.labels });
    const credential = credentials.find(input.credential);
    const repository = await repositories.open(credential);
    const request = {
      source,
      repository,
      type: input.type,
      full: input.full,
      frequency: input.frequency,
      labels,
      takeover: input.takeover ?? false,
      consistency: 'crash',
      damage,
      clock,
      log,
    } as const;
    const spec = {
      kind: 'Backup',
      volumeId: source.id,
      volumeName: name,
      credentialId: credential.id,
      lane: chainLane(source.id),
    } as const;
    // Instants are queued in the order in which they are taken.
    return await this.#instants.run(source.id, async () => {
      tasks.requireRoom(spec);
      const held = await source.hold();
      return await this.#submitHeld(spec, { ...request, held }, input.onNamed);
    });
  }

  async #submitHeld(
    spec: TaskSpec,
    request: BackupRequest & { readonly held: HeldInstant },
    onNamed: BackupInput['onNamed'],
  ): Promise<TaskRecord> {
    const { recipes, tasks, clock, stallLimitMs } = this.#deps;
    const { held, type } = request;
    const result = { type, instant: isoTime(held.frozenAtMs) };
    try {
      return tasks.submit(
        { ...spec, result },
        async (context) => {
          const stall = { limitMs: stallLimitMs, clock };
          const named = withNameTold(context, onNamed);
          await withStallLimit(named, stall, (watched) => recipes.runBackup(request, watched));
        },
        () => held.release(),
      );
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  readonly listCloudsnaps: Handlers['listCloudsnaps'] = async (input, signal) => {
    const found =
      (input.status ?? 'done') === 'done'
        ? await this.#done(input, signal)
        : this.#unfinished(input);
    const kept = found.filter((view) => this.#matches(view, input));
    kept.sort((a, b) => compareText(placeOf(a), placeOf(b)));
    const { after, max } = input;
    if (after !== undefined) {
      return kept.filter((view) => compareText(placeOf(view), after) > 0).slice(0, max);
    }
    // The newest ones: what a script that asks for the last one wants.
    return max === undefined ? kept : kept.slice(-max);
  };

  /** Refused at once when other cloudsnaps or volumes need it; otherwise a task removes it. */
  readonly deleteCloudsnap: Handlers['deleteCloudsnap'] = async (input, signal) => {
    const { credentials, repositories } = this.#deps;
    const credential = credentials.find(input.credential);
    const repository = await repositories.open(credential);
    const entry = await repository.find(input.cloudsnap, signal);
    const { takeover = false } = input;
    const wanted = { repository, entry, credentialId: credential.id, takeover };
    return taskView(await this.startDelete(wanted, signal), this.#deps);
  };

  /** Queues the deletion of a cloudsnap, also for the retention. */
  async startDelete(wanted: DeleteInput, signal: AbortSignal): Promise<TaskRecord> {
    const { repository, entry, credentialId, confirm } = wanted;
    await this.#refuseWhenNeeded(repository, entry, signal);
    const { volume, cloudsnapId } = entry.manifest;
    return this.#deps.tasks.submit(
      {
        kind: 'Delete',
        volumeId: volume.id,
        volumeName: volume.name,
        credentialId,
        cloudsnapId,
        // Behind the backups of the volume: one that builds on this cloudsnap is to be seen as its
        // dependant.
        lane: chainLane(volume.id),
      },
      async (context) => {
        await confirm?.(context.signal);
        await this.#refuseWhenNeeded(repository, entry, context.signal);
        await this.#mark(wanted, context);
        this.#deps.damage.clear(repository.id, cloudsnapId);
      },
    );
  }

  /** From here on nobody sees it; its objects are removed in the background. */
  async #mark({ repository, entry, takeover = false }: DeleteInput, task: TaskContext) {
    const { cleaner } = this.#deps;
    const { clusterId, volume } = entry.manifest;
    const place = { clusterId, volumeId: volume.id };
    const cleanup = {
      kind: 'deletion',
      repositoryId: repository.id,
      ...place,
      snapName: '',
    } as const;
    const onWait = (sentence: string) => task.note(sentence);
    // Before, for an end of the agent; and after, since the first may have been seen to meanwhile.
    cleaner.note(cleanup);
    await repository.mark(entry, { takeover, onWait }, task.signal);
    cleaner.note(cleanup);
    cleaner.wake();
  }

  async #done(input: ListInput, signal: AbortSignal): Promise<CloudsnapView[]> {
    const { credentials, repositories } = this.#deps;
    const repository = await repositories.open(credentials.find(input.credential));
    const damaged = new Map<string, number>();
    for (const { cloudsnaps } of this.#deps.damage.inRepository(repository.id)) {
      for (const id of cloudsnaps) damaged.set(id, (damaged.get(id) ?? 0) + 1);
    }
    const entries = await repository.list(this.#rootsOf(input), signal);
    return entries.map((entry) =>
      cloudsnapView(entry, damaged.get(entry.manifest.cloudsnapId) ?? 0),
    );
  }

  #unfinished({ credential, status }: ListInput): CloudsnapView[] {
    const wanted =
      credential === undefined ? undefined : this.#deps.credentials.find(credential).id;
    return this.#deps.tasks
      .list()
      .filter((task) => task.kind === 'Backup' && task.state.toLowerCase() === status)
      .filter((task) => wanted === undefined || task.credentialId === wanted)
      .map(unfinishedView);
  }

  #matches(view: CloudsnapView, input: ListInput): boolean {
    const labels = Object.entries(input.labels ?? {});
    return (
      (input.source === undefined || [view.volumeId, view.volumeName].includes(input.source)) &&
      (input.cluster === undefined || this.#isOfCluster(view, input)) &&
      (input.cloudsnap === undefined || view.id === input.cloudsnap) &&
      (!input.deletedSource || !this.#isHere(view.volumeId)) &&
      labels.every(([key, value]) => view.labels[key] === value)
    );
  }

  /** One cluster is asked for alone: if it cannot be read, that is what the caller is told. */
  #rootsOf(input: ListInput) {
    const { allClusters, cluster } = input;
    if (cluster !== undefined && isClusterId(cluster) && !this.#isBucket(input)) {
      return { clusterId: cluster };
    }
    return { allClusters: allClusters === true || cluster !== undefined };
  }

  /** A bucket stands for every cluster in it. */
  #isOfCluster({ clusterId }: CloudsnapView, input: ListInput): boolean {
    return clusterId === input.cluster || this.#isBucket(input);
  }

  #isBucket({ cluster, credential }: ListInput): boolean {
    const { settings } = this.#deps.credentials.find(credential);
    return settings.provider !== 'directory' && settings.bucket === cluster;
  }

  #isHere(volumeId: string): boolean {
    return this.#deps.volumes.list().some(({ id }) => id === volumeId);
  }

  async #refuseWhenNeeded(
    repository: CloudsnapRepository,
    entry: CloudsnapEntry,
    signal: AbortSignal,
  ): Promise<void> {
    const { cloudsnapId } = entry.manifest;
    const published = await repository.dependants(entry, signal);
    const { volumes, clock } = this.#deps;
    const uploads = await unfinishedUploads(volumes, repository.id, clock.nowMs());
    const children = uploads.filter(({ parent }) => parent?.cloudsnapId === cloudsnapId);
    const dependants = [
      ...published.map(({ manifest }) => manifest.cloudsnapId),
      ...children.map((upload) => upload.cloudsnapId),
    ];
    if (dependants.length > 0) {
      throw new CloudvolError(
        'cloudsnap/has-dependants',
        `cloudsnap ${cloudsnapId} is needed by later ones: ${dependants.join(', ')}`,
        { hint: hintOf(children.length > 0), details: { dependants } },
      );
    }
    for (const volume of this.#deps.volumes.list()) {
      const { backing } = await volume.inspect();
      if (backing?.cloudsnapId !== cloudsnapId) continue;
      throw new CloudvolError(
        'cloudsnap/in-use',
        `cloudsnap ${cloudsnapId} still holds blocks of volume ${volume.attributes.name}`,
        { hint: 'wait until the volume is hydrated, or delete the volume' },
      );
    }
  }
}

function hintOf(isUnfinished: boolean): string {
  return isUnfinished
    ? 'the last is not finished yet: back the volume up, or delete the volume'
    : 'delete those first, the newest before the others';
}

/** Backups of a volume, and deletes in its chains, run one after another. */
function chainLane(volumeId: string): string {
  return `chain of ${volumeId}`;
}

function refuseWhileRestoring(tasks: TaskRunner, volumeId: string, name: string): void {
  const isRestoring = tasks
    .running()
    .some((task) => task.kind === 'Restore' && task.volumeId === volumeId);
  if (!isRestoring) return;
  throw new CloudvolError('volume/restoring', `volume ${name} is still being restored`, {
    hint: 'wait for the restore: cloudvol cloudsnap status',
  });
}

/** In the order of listing; the id tells those of one instant apart. */
function placeOf({ created, id }: CloudsnapView): string {
  return `${created ?? ''} ${id}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
