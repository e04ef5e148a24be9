import { CloudvolError } from '../../base/errors.ts';
import type { VolumeId } from '../../base/ids.ts';
import type { CloudsnapRepository } from '../../cloudsnap/cloudsnap-api.ts';
import {
  hasRetentionRule,
  type RetentionRules,
} from '../../cloudsnap/retention/retention-rules.ts';
import type { Handlers } from '../../control/server.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { TaskRecord } from '../../tasks/task-api.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import type { ManagedVolumes, Repositories, Surroundings } from '../domain.ts';
import type {
  PlannedCloudsnap,
  RetentionPlanner,
  RetentionScope,
} from '../retention/retention-planner.ts';
import { runPrune } from '../retention/run-prune.ts';
import type { CloudsnapService } from './cloudsnap-service.ts';
import { isoTime, taskView } from './views.ts';

type PruneInput = Parameters<Handlers['pruneCloudsnaps']>[0];
type PlannedView = Awaited<ReturnType<Handlers['pruneCloudsnaps']>>['cloudsnaps'][number];

export interface RetentionServiceDeps extends Surroundings {
  readonly volumes: ManagedVolumes;
  readonly credentials: CredentialRegistry;
  readonly repositories: Repositories;
  readonly tasks: TaskRunner;
  readonly cloudsnaps: CloudsnapService;
  readonly planner: RetentionPlanner;
}

/** Removes the cloudsnaps that no rule keeps. */
export class RetentionService implements Pick<Handlers, 'pruneCloudsnaps'> {
  readonly #deps: RetentionServiceDeps;

  constructor(deps: RetentionServiceDeps) {
    this.#deps = deps;
  }

  readonly pruneCloudsnaps: Handlers['pruneCloudsnaps'] = async (input, signal) => {
    requireRule(input.rules);
    const scope = await this.#scopeOf(input, signal);
    const planned = await this.#deps.planner.plan(scope, signal);
    const task = input.dryRun === true ? null : this.start(scope, planned);
    return {
      cloudsnaps: planned.map(plannedView),
      task: task && taskView(task, this.#deps),
    };
  };

  /** Queues what a plan removes; null when it removes nothing. */
  start(scope: RetentionScope, planned: readonly PlannedCloudsnap[]): TaskRecord | null {
    const entries = planned.filter(({ isKept }) => !isKept).map(({ entry }) => entry);
    const [first] = entries;
    if (!first) return null;
    const { id, name } = first.manifest.volume;
    return this.#deps.tasks.submit(
      {
        kind: 'Prune',
        volumeId: scope.volumeId === undefined ? '' : id,
        volumeName: scope.volumeId === undefined ? '' : name,
        credentialId: scope.credentialId,
        result: { planned: entries.length },
      },
      (context) => runPrune(this.#deps, { scope, entries }, context),
    );
  }

  async #scopeOf(input: PruneInput, signal: AbortSignal): Promise<RetentionScope> {
    const { credentials, repositories } = this.#deps;
    const { source, allVolumes = false, rules, keepLabels = {}, takeover = false } = input;
    if ((source === undefined) === !allVolumes) {
      throw new CloudvolError('retention/bad-scope', 'either one volume or all have to be named', {
        hint: 'cloudvol cloudsnap prune VOLUME, or --all',
      });
    }
    const credential = credentials.find(input.credential);
    const repository = await repositories.open(credential);
    const clusterId = await clusterOf(repository, input.cluster, signal);
    const scope = {
      repository,
      credentialId: credential.id,
      clusterId,
      takeover,
      policy: { rules, keepLabels },
    };
    if (source === undefined) return scope;
    return { ...scope, volumeId: await this.#volumeOf(scope, source, signal) };
  }

  /** A volume that is here, or one that is gone and has left cloudsnaps. */
  async #volumeOf(scope: RetentionScope, source: string, signal: AbortSignal): Promise<VolumeId> {
    const { repository, clusterId } = scope;
    const here = this.#deps.volumes
      .list()
      .find(({ id, attributes }) => id === source || attributes.name === source);
    if (here && clusterId === repository.clusterId) return here.id;
    const allClusters = clusterId !== repository.clusterId;
    const entries = await repository.list({ allClusters }, signal);
    const named = entries.filter(
      ({ manifest: { clusterId: cluster, volume } }) =>
        cluster === clusterId && (volume.id === source || volume.name === source),
    );
    const [id, ...others] = new Set(named.map(({ manifest }) => manifest.volume.id));
    if (id !== undefined && others.length === 0) return id;
    if (id === undefined) {
      throw new CloudvolError('cloudsnap/not-found', `there is no cloudsnap of volume ${source}`, {
        hint: 'cloudvol cloudsnap list --all shows those there are',
      });
    }
    throw new CloudvolError(
      'retention/bad-scope',
      `${others.length + 1} volumes that are gone were named ${source}`,
      { hint: `name one by its id: ${[id, ...others].join(', ')}` },
    );
  }
}

/** Without one, only the newest would be left: nobody means that who says nothing. */
function requireRule(rules: RetentionRules): void {
  if (hasRetentionRule(rules)) return;
  throw new CloudvolError('retention/bad-rules', 'nothing says which cloudsnaps to keep', {
    hint: 'give --keep-last N, --keep-within DAYS, --keep-daily N, --keep-weekly N, …',
  });
}

/** @throws CloudvolError `cloudsnap/not-found` for one that the repository does not show. */
async function clusterOf(
  repository: CloudsnapRepository,
  wanted: string | undefined,
  signal: AbortSignal,
) {
  if (wanted === undefined || wanted === repository.clusterId) return repository.clusterId;
  const entries = await repository.list({ allClusters: true }, signal);
  const found = entries.find(({ manifest }) => manifest.clusterId === wanted);
  if (found) return found.manifest.clusterId;
  throw new CloudvolError('cloudsnap/not-found', `there is no cloudsnap of cluster ${wanted}`, {
    hint: 'cloudvol cloudsnap list --all shows those there are',
  });
}

function plannedView({ entry, isKept, reasons }: PlannedCloudsnap): PlannedView {
  const { manifest } = entry;
  return {
    id: manifest.cloudsnapId,
    volumeId: manifest.volume.id,
    volumeName: manifest.volume.name,
    clusterId: manifest.clusterId,
    created: isoTime(manifest.createdMs),
    type: manifest.type,
    incremental: manifest.parent !== null,
    storedBytes: manifest.statistics.storedBytes,
    action: isKept ? 'keep' : 'remove',
    reasons: [...reasons],
  };
}
