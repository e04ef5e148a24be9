import type { Clock } from '../../base/clock.ts';
import type { ClusterId, VolumeId } from '../../base/ids.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../cloudsnap/cloudsnap-api.ts';
import type { DamageRegister } from '../../cloudsnap/damage-register.ts';
import { planRetention, type RetentionPolicy } from '../../cloudsnap/retention/plan-retention.ts';
import type { ManagedVolumes } from '../domain.ts';
import { retentionPins } from './retention-pins.ts';

/** Which cloudsnaps are looked at, and what is wanted of them. */
export interface RetentionScope {
  readonly repository: CloudsnapRepository;
  readonly credentialId: string;
  readonly clusterId: ClusterId;
  /** Default: every volume of the cluster, also those that are gone. */
  readonly volumeId?: VolumeId;
  /** Whether volumes that another host owns are taken over at once. */
  readonly takeover?: boolean;
  readonly policy: Pick<RetentionPolicy, 'rules' | 'groupOf' | 'keepLabels'>;
}

export interface PlannedCloudsnap {
  readonly entry: CloudsnapEntry;
  readonly isKept: boolean;
  readonly reasons: readonly string[];
}

export interface RetentionPlannerDeps {
  readonly volumes: ManagedVolumes;
  readonly damage: DamageRegister;
  readonly clock: Clock;
}

/** Applies the rules to what a repository shows, with all that this host knows. */
export class RetentionPlanner {
  readonly #deps: RetentionPlannerDeps;

  constructor(deps: RetentionPlannerDeps) {
    this.#deps = deps;
  }

  /** By volume, then sequence. Changes nothing. */
  async plan(scope: RetentionScope, signal: AbortSignal): Promise<PlannedCloudsnap[]> {
    const { volumes, damage, clock } = this.#deps;
    const { repository } = scope;
    const nowMs = clock.nowMs();
    const damaged = new Set(
      damage.inRepository(repository.id).flatMap(({ cloudsnaps }) => cloudsnaps),
    );
    const policy = {
      ...scope.policy,
      nowMs,
      isDamaged: (id: string) => damaged.has(id),
      pins: await retentionPins(volumes, repository.id, nowMs),
    };
    const byVolume = Map.groupBy(await listed(scope, signal), ({ manifest }) => manifest.volume.id);
    return [...byVolume.values()].flatMap((entries) => planVolume(entries, policy));
  }
}

async function listed(scope: RetentionScope, signal: AbortSignal): Promise<CloudsnapEntry[]> {
  const { repository, clusterId, volumeId } = scope;
  const allClusters = clusterId !== repository.clusterId;
  const filter = volumeId === undefined ? { allClusters } : { allClusters, volumeId };
  const entries = await repository.list(filter, signal);
  return entries.filter(({ manifest }) => manifest.clusterId === clusterId);
}

function planVolume(
  entries: readonly CloudsnapEntry[],
  policy: RetentionPolicy,
): PlannedCloudsnap[] {
  const byManifest = new Map(entries.map((entry) => [entry.manifest, entry]));
  return planRetention([...byManifest.keys()], policy).flatMap(({ manifest, isKept, reasons }) => {
    const entry = byManifest.get(manifest);
    return entry ? [{ entry, isKept, reasons }] : [];
  });
}
