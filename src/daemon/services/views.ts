import type { CloudsnapEntry } from '../../cloudsnap/cloudsnap-api.ts';
import type { CloudsnapView, CredentialView, TaskView, VolumeView } from '../../control/schemas.ts';
import { isEncrypted, type Credential, type ProviderSettings } from '../../secrets/credential.ts';
import type { TaskRecord } from '../../tasks/task-api.ts';
import type { ManagedVolume, Surroundings, VolumeFacts } from '../domain.ts';

export async function volumeView(
  volume: ManagedVolume,
  node: string,
  isRestoring: boolean,
  hydrateTask?: TaskView,
): Promise<VolumeView> {
  const { name, geometry, fileSystem, labels } = volume.attributes;
  const facts = await volume.inspect();
  return {
    id: volume.id,
    name,
    ...geometry,
    fileSystem,
    labels: { ...labels },
    status: isRestoring ? 'restoring' : volume.status,
    node,
    path: facts.path,
    loopDevice: facts.loopDevice,
    mountPath: facts.mountPath,
    presentBlocks: facts.presentBlocks,
    dirtyBlocks: facts.dirtyBlocks,
    absentBlocks: facts.absentBlocks,
    localBytes: facts.localBytes,
    backing: facts.backing && {
      credentialId: facts.backing.credentialId,
      cloudsnapId: facts.backing.cloudsnapId,
      hydrate: facts.backing.hydrate,
    },
    hydration: isRestoring ? null : hydrationView(facts, hydrateTask),
    chains: facts.chains.map(({ repositoryId, cloudsnapId, sequence, incrementals }) => ({
      repositoryId,
      cloudsnapId,
      sequence,
      incrementals,
    })),
  };
}

/** @param task that fills it now, if one does. */
function hydrationView(
  { backing, waits, outage }: VolumeFacts,
  task: TaskView | undefined,
): VolumeView['hydration'] {
  if (!backing) return null;
  return {
    active: backing.hydrate,
    rateBytesPerSecond: backing.rateBytesPerSecond ?? null,
    absentTimeoutSeconds: backing.absentTimeoutMs ? backing.absentTimeoutMs / 1000 : null,
    etaSeconds: task?.etaSeconds ?? null,
    waitingReaders: waits.readers,
    waitingMs: waits.longestMs,
    outage,
  };
}

/** Nothing of it is secret. */
export function credentialView(
  credential: Credential,
  requests: CredentialView['requests'],
): CredentialView {
  const { id, name, createdMs, settings, writeBytesPerSecond } = credential;
  const { provider } = settings;
  const s3 = provider === 's3' ? settings : undefined;
  return {
    id,
    name,
    provider,
    path: provider === 'directory' ? settings.path : null,
    bucket: (provider !== 'directory' && settings.bucket) || null,
    endpoints: endpointsOf(settings),
    region: s3?.region ?? null,
    accessKey: s3?.accessKey ?? null,
    storageClass: s3?.storageClass ?? null,
    sse: s3?.sse ?? null,
    accountName: (provider === 'azure' && settings.accountName) || null,
    projectId: (provider === 'google' && settings.projectId) || null,
    ssl: usesSsl(settings),
    encrypted: isEncrypted(credential),
    created: isoTime(createdMs),
    writeBytesPerSecond: writeBytesPerSecond ?? null,
    requests,
  };
}

function endpointsOf(settings: ProviderSettings): string[] {
  if (settings.provider === 's3') return [...(settings.endpoints ?? [])];
  const isUrl = settings.provider !== 'directory' && settings.endpoint !== undefined;
  return isUrl ? [settings.endpoint] : [];
}

function usesSsl(settings: ProviderSettings): boolean {
  if (settings.provider === 'directory') return false;
  if (settings.provider === 's3') return settings.disableSsl !== true;
  return !settings.endpoint?.startsWith('http:');
}

/** @param damagedObjects how many are known to hurt it */
export function cloudsnapView({ manifest }: CloudsnapEntry, damagedObjects: number): CloudsnapView {
  const { volume } = manifest;
  return {
    id: manifest.cloudsnapId,
    volumeId: volume.id,
    volumeName: volume.name,
    clusterId: manifest.clusterId,
    created: isoTime(manifest.createdMs),
    type: manifest.type,
    status: 'Done',
    taskId: null,
    incremental: manifest.parent !== null,
    parent: manifest.parent?.cloudsnapId ?? null,
    fullReason: manifest.fullReason,
    sequence: manifest.sequence,
    sizeBytes: volume.sizeBytes,
    blockBytes: volume.blockBytes,
    fileSystem: volume.fileSystem,
    labels: { ...volume.labels },
    consistency: manifest.consistency,
    statistics: { ...manifest.statistics },
    damagedObjects,
  };
}

/** A backup that made no cloudsnap, as `cloudsnap list --status failed` shows it. */
export function unfinishedView(task: TaskRecord): CloudsnapView {
  return {
    id: task.cloudsnapId,
    volumeId: task.volumeId,
    volumeName: task.volumeName,
    clusterId: task.cloudsnapId.split('/')[0] ?? '',
    created: isoTime(task.createdMs),
    type: String(task.result['type'] ?? 'Manual'),
    status: task.state,
    taskId: task.id,
    incremental: task.cloudsnapId.endsWith('-incr'),
    parent: null,
    fullReason: null,
    sequence: 0,
    sizeBytes: 0,
    blockBytes: 0,
    fileSystem: '',
    labels: {},
    consistency: '',
    statistics: {},
    damagedObjects: 0,
  };
}

export function taskView(task: TaskRecord, { clock, node }: Surroundings): TaskView {
  const { createdMs, startedMs, endedMs, info, result, ...same } = task;
  const elapsedMs = startedMs === null ? 0 : Math.max(0, (endedMs ?? clock.nowMs()) - startedMs);
  return {
    ...same,
    node,
    elapsedMs,
    etaSeconds: task.state === 'Active' ? etaSeconds(task, elapsedMs) : null,
    created: isoTime(createdMs),
    started: startedMs === null ? null : isoTime(startedMs),
    ended: endedMs === null ? null : isoTime(endedMs),
    info: [...info],
    result: { ...result },
  };
}

function etaSeconds({ bytesDone, bytesTotal }: TaskRecord, elapsedMs: number): number | null {
  if (bytesDone === 0 || elapsedMs === 0) return null;
  return Math.round(((bytesTotal - bytesDone) / bytesDone) * (elapsedMs / 1000));
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
