import { Type } from 'typebox';

import { bytes, closed, count, labels, orNull, time } from './shapes.ts';

export const volumeView = closed({
  id: Type.String(),
  name: Type.String(),
  sizeBytes: bytes(),
  blockBytes: bytes(),
  blockCount: count(),
  fileSystem: Type.String(),
  labels: labels(),
  status: Type.String({ description: 'detached, attached, mounted, restoring, failed' }),
  node: Type.String({ description: 'name of the host' }),
  path: orNull(Type.String({ description: 'the volume as a file, while attached' })),
  loopDevice: orNull(Type.String()),
  mountPath: orNull(Type.String()),
  presentBlocks: count(),
  dirtyBlocks: Type.Integer({ minimum: 0, description: 'changed since the last freeze' }),
  absentBlocks: Type.Integer({ minimum: 0, description: 'still in the cloud only' }),
  localBytes: Type.Integer({ minimum: 0, description: 'disk space that it takes here' }),
  backing: orNull(
    closed({ credentialId: Type.String(), cloudsnapId: Type.String(), hydrate: Type.Boolean() }),
  ),
  // Null for a volume that needs the cloud no more.
  hydration: orNull(
    closed({
      active: Type.Boolean({ description: 'whether blocks come in the background' }),
      rateBytesPerSecond: orNull(Type.Integer({ minimum: 1 })),
      absentTimeoutSeconds: orNull(Type.Number()),
      etaSeconds: orNull(Type.Number()),
      waitingReaders: count(),
      waitingMs: Type.Number({ description: 'of the reader that waits longest' }),
      outage: orNull(Type.String({ description: 'why they wait' })),
    }),
  ),
  chains: Type.Array(
    closed({
      repositoryId: Type.String(),
      cloudsnapId: Type.String(),
      sequence: count(),
      incrementals: count(),
    }),
  ),
});

export const credentialView = closed({
  id: Type.String(),
  name: Type.String(),
  provider: Type.String({ description: 's3, azure, google, directory' }),
  path: orNull(Type.String({ description: 'of a directory store' })),
  bucket: orNull(Type.String({ description: 'null: the default one, named by the cluster id' })),
  endpoints: Type.Array(Type.String()),
  region: orNull(Type.String()),
  accessKey: orNull(Type.String()),
  storageClass: orNull(Type.String()),
  sse: orNull(Type.String()),
  accountName: orNull(Type.String()),
  projectId: orNull(Type.String()),
  ssl: Type.Boolean(),
  encrypted: Type.Boolean(),
  created: time(),
  writeBytesPerSecond: orNull(Type.Number({ description: 'as measured last' })),
  // To its store, since the agent started: what a provider charges for.
  requests: closed({ put: count(), get: count(), head: count(), list: count(), delete: count() }),
});

export const cloudsnapView = closed({
  id: Type.String(),
  volumeId: Type.String(),
  volumeName: Type.String(),
  clusterId: Type.String(),
  created: orNull(time()),
  type: Type.String({ description: 'Manual, Periodic, Daily, Weekly, Monthly' }),
  status: Type.String({ description: 'Done, Failed, Aborted, Stopped' }),
  taskId: orNull(Type.String({ description: 'of an unfinished one' })),
  incremental: Type.Boolean(),
  parent: orNull(Type.String()),
  fullReason: orNull(Type.String()),
  sequence: count(),
  sizeBytes: bytes(),
  blockBytes: bytes(),
  fileSystem: Type.String(),
  labels: labels(),
  consistency: Type.String(),
  statistics: Type.Record(Type.String(), Type.Number()),
  damagedObjects: Type.Integer({ minimum: 0, description: 'that are known here to hurt it' }),
});

export const taskView = closed({
  id: Type.String(),
  kind: Type.String({ description: 'Backup, Restore, Hydrate, Delete, Verify, Prune' }),
  state: Type.String({ description: 'Queued, Active, Paused, Stopped, Aborted, Failed, Done' }),
  volumeId: Type.String(),
  volumeName: Type.String(),
  cloudsnapId: Type.String({ description: 'empty until it is known' }),
  credentialId: Type.String(),
  node: Type.String(),
  bytesTotal: bytes(),
  bytesDone: bytes(),
  etaSeconds: orNull(Type.Number()),
  elapsedMs: Type.Number(),
  created: time(),
  started: orNull(time()),
  ended: orNull(time()),
  info: Type.Array(Type.String()),
  result: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()])),
});

/** What a verification found: VerifyReport, as it travels. */
export const verificationView = closed({
  cloudsnapId: Type.String(),
  volumeId: Type.String(),
  percent: Type.Integer(),
  seed: Type.Integer({ description: 'gives the same sample again' }),
  packs: count(),
  pages: count(),
  blocks: Type.Integer({ minimum: 0, description: 'that have data' }),
  blocksRead: count(),
  bytesRead: count(),
  damage: Type.Array(
    closed({
      kind: Type.String({ description: 'manifest, root, index, pack' }),
      object: Type.String({ description: 'its key' }),
      owner: Type.String({ description: 'the cloudsnap that wrote it' }),
      finding: Type.String(),
      pages: Type.Array(count()),
      blocks: Type.Array(closed({ firstBlock: count(), blockCount: count() })),
      blockCount: Type.Integer({ minimum: 0, description: 'all, listed or not' }),
      cloudsnaps: Type.Array(Type.String({ description: 'that it hurts' })),
    }),
  ),
});
