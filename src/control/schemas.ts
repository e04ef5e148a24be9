/**
 * The inputs and outputs of every call. The server checks inputs against them; a client imports
 * their types only. Unknown fields are refused. Ids are strings, since volume ids exceed 2^53;
 * sizes are whole numbers of bytes below it; times are UTC in ISO 8601.
 */
import { Type, type Static, type TObject, type TProperties, type TSchema } from 'typebox';

import type { RouteName } from './routes.ts';
import { verificationView } from './verification-view.ts';

/**
 * Longest text in a request; ids, names and paths (PATH_MAX) are shorter, their own rules refuse
 * them by name.
 */
const MAX_TEXT = 4096;
const MAX_LABELS = 64;
/** Certificates and key files: a whole bundle of authorities is far larger, and not needed. */
const MAX_FILE_TEXT = 256 << 10;
/** More endpoints than any store has gateways behind one name. */
const MAX_ENDPOINTS = 64;

const closed = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });
const text = () => Type.String({ maxLength: MAX_TEXT });
const reference = () => Type.String({ minLength: 1, maxLength: MAX_TEXT });
const fileText = () => Type.String({ minLength: 1, maxLength: MAX_FILE_TEXT });
const optional = () => Type.Optional(reference());
const optionalFlag = () => Type.Optional(Type.Boolean());
const bytes = () => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const count = () => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const time = () => Type.String({ format: 'date-time' });
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const labels = () => Type.Record(Type.String(), text(), { maxProperties: MAX_LABELS });
const fileSystem = () =>
  Type.Union([Type.Literal('ext4'), Type.Literal('xfs'), Type.Literal('none')]);

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
  kind: Type.String({ description: 'Backup, Restore, Hydrate, Delete, Verify' }),
  state: Type.String({ description: 'Queued, Active, Stopped, Aborted, Failed, Done' }),
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

const scheduleKind = () =>
  Type.Union([
    Type.Literal('Periodic'),
    Type.Literal('Daily'),
    Type.Literal('Weekly'),
    Type.Literal('Monthly'),
  ]);
const scheduleRules = () =>
  Type.Array(
    closed({
      kind: scheduleKind(),
      at: Type.String({
        maxLength: MAX_TEXT,
        description: 'UTC: minutes, hh:mm, weekday@hh:mm, day@hh:mm',
      }),
    }),
  );
/** What may be said of a schedule, at first and later. */
const schedulePlan = {
  credential: Type.Optional(reference()),
  rules: Type.Optional(scheduleRules()),
  max: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      description: 'cloudsnaps from one full to the next',
    }),
  ),
  full: Type.Optional(Type.Boolean()),
};

export const scheduleView = closed({
  id: Type.String(),
  volumeId: Type.String(),
  volumeName: orNull(Type.String({ description: 'null when the volume is gone' })),
  credentialId: Type.String(),
  rules: scheduleRules(),
  max: count(),
  full: Type.Boolean(),
  created: time(),
  nextRun: time(),
  lastRun: orNull(
    closed({
      kind: scheduleKind(),
      due: time(),
      started: time(),
      taskId: orNull(Type.String()),
      failure: orNull(Type.String({ description: 'why no backup was started' })),
    }),
  ),
});

const nothing = closed({});
const volumeInput = closed({ volume: reference() });

interface Call {
  readonly input: TObject;
  readonly output: TSchema;
}

export const CALLS = {
  inspectAgent: {
    input: nothing,
    output: closed({
      version: Type.String(),
      pid: Type.Integer(),
      node: Type.String(),
      clusterId: Type.String(),
      stateDir: Type.String(),
      runtimeDir: Type.String(),
      started: time(),
    }),
  },

  createVolume: {
    input: closed({
      name: text(),
      sizeBytes: Type.Integer(),
      blockBytes: Type.Optional(Type.Integer()),
      fileSystem: Type.Optional(fileSystem()),
      labels: Type.Optional(labels()),
    }),
    output: volumeView,
  },
  listVolumes: { input: nothing, output: Type.Array(volumeView) },
  inspectVolume: { input: volumeInput, output: volumeView },
  deleteVolume: { input: volumeInput, output: nothing },
  attachVolume: {
    input: closed({ volume: reference(), loop: Type.Optional(Type.Boolean()) }),
    output: volumeView,
  },
  detachVolume: { input: volumeInput, output: volumeView },
  mountVolume: { input: closed({ volume: reference(), path: reference() }), output: volumeView },
  unmountVolume: { input: volumeInput, output: volumeView },

  createCredential: {
    input: closed({
      name: text(),
      provider: Type.Union([
        Type.Literal('s3'),
        Type.Literal('azure'),
        Type.Literal('google'),
        Type.Literal('directory'),
      ]),
      path: optional(),
      bucket: optional(),
      ca: Type.Optional(fileText()),
      useIam: optionalFlag(),
      endpoints: Type.Optional(
        Type.Array(reference(), { minItems: 1, maxItems: MAX_ENDPOINTS, description: 'of S3' }),
      ),
      region: optional(),
      disableSsl: optionalFlag(),
      virtualHost: optionalFlag(),
      accessKey: optional(),
      secretKey: optional(),
      storageClass: optional(),
      sse: optional(),
      accountName: optional(),
      accountKey: optional(),
      connectionString: optional(),
      sasToken: optional(),
      endpoint: Type.Optional(Type.String({ maxLength: MAX_TEXT, description: 'URL' })),
      projectId: optional(),
      jsonKey: Type.Optional(fileText()),
      passphrase: optional(),
    }),
    output: credentialView,
  },
  listCredentials: { input: nothing, output: Type.Array(credentialView) },
  deleteCredential: { input: closed({ credential: reference() }), output: nothing },
  validateCredential: {
    input: closed({ credential: reference() }),
    output: closed({
      valid: Type.Boolean({ description: 'nothing that cloudsnaps need is missing' }),
      checks: Type.Array(
        closed({
          name: Type.String(),
          outcome: Type.String({ description: 'ok, limited, failed, skipped' }),
          words: Type.String(),
        }),
      ),
      writeBytesPerSecond: orNull(Type.Number()),
    }),
  },
  deleteCredentialReferences: {
    input: closed({ credential: reference() }),
    output: closed({
      deletedSchedules: Type.Array(Type.String({ description: 'ids' })),
      stoppedTasks: Type.Array(Type.String({ description: 'ids' })),
    }),
  },

  inspectSecrets: {
    input: nothing,
    output: closed({ hasPassphrase: Type.Boolean(), unlocked: Type.Boolean() }),
  },
  loginSecrets: {
    input: closed({ passphrase: reference() }),
    output: closed({
      passphraseSet: Type.Boolean({ description: 'true: this first login has set it' }),
    }),
  },
  logoutSecrets: { input: nothing, output: nothing },

  backup: {
    input: closed({
      volume: reference(),
      credential: Type.Optional(reference()),
      full: Type.Optional(Type.Boolean()),
      frequency: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 1000, description: 'backups from a full to the next' }),
      ),
    }),
    output: taskView,
  },
  restore: {
    input: closed({
      cloudsnap: reference(),
      credential: Type.Optional(reference()),
      name: Type.Optional(text()),
      node: Type.Optional(reference()),
      lazy: Type.Optional(
        Type.Boolean({ description: 'usable at once, fetches blocks as needed' }),
      ),
      hydrate: Type.Optional(Type.Boolean({ description: 'fill a lazy one in the background' })),
    }),
    output: closed({ volume: volumeView, task: taskView, hydrateTask: orNull(taskView) }),
  },
  listCloudsnaps: {
    input: closed({
      credential: Type.Optional(reference()),
      source: Type.Optional(Type.String({ description: 'volume, by id or name' })),
      cluster: Type.Optional(reference()),
      allClusters: Type.Optional(Type.Boolean()),
      cloudsnap: Type.Optional(reference()),
      status: Type.Optional(
        Type.Union([
          Type.Literal('done'),
          Type.Literal('failed'),
          Type.Literal('aborted'),
          Type.Literal('stopped'),
        ]),
      ),
      labels: Type.Optional(labels()),
      deletedSource: Type.Optional(
        Type.Boolean({ description: 'only of volumes not here any more' }),
      ),
      max: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
    output: Type.Array(cloudsnapView),
  },
  deleteCloudsnap: {
    input: closed({ cloudsnap: reference(), credential: Type.Optional(reference()) }),
    output: taskView,
  },
  verifyCloudsnap: {
    input: closed({
      cloudsnap: reference(),
      credential: Type.Optional(reference()),
      percent: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
      seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })),
    }),
    output: taskView,
  },
  inspectVerification: { input: closed({ task: reference() }), output: verificationView },
  listTasks: {
    input: closed({
      volume: Type.Optional(Type.String({ description: 'id or name' })),
      history: Type.Optional(
        Type.Boolean({ description: 'all; otherwise the unfinished and the last day' }),
      ),
    }),
    output: Type.Array(taskView),
  },
  inspectTask: { input: closed({ task: reference() }), output: taskView },
  waitForTask: {
    input: closed({ task: reference(), waitMs: Type.Integer({ minimum: 0 }) }),
    output: taskView,
  },
  stopTask: { input: closed({ task: reference() }), output: taskView },
  createSchedule: {
    input: closed({ volume: reference(), ...schedulePlan }),
    output: scheduleView,
  },
  updateSchedule: {
    input: closed({ schedule: reference(), ...schedulePlan }),
    output: scheduleView,
  },
  listSchedules: {
    input: closed({ volume: Type.Optional(reference()) }),
    output: Type.Array(scheduleView),
  },
  deleteSchedule: { input: closed({ schedule: reference() }), output: nothing },
} as const satisfies Record<RouteName, Call>;

export type Api = {
  readonly [Name in RouteName]: {
    readonly input: Static<(typeof CALLS)[Name]['input']>;
    readonly output: Static<(typeof CALLS)[Name]['output']>;
  };
};

export type VolumeView = Static<typeof volumeView>;
export type CredentialView = Static<typeof credentialView>;
export type CloudsnapView = Static<typeof cloudsnapView>;
export type ScheduleView = Static<typeof scheduleView>;
export type TaskView = Static<typeof taskView>;
export type VerificationView = Static<typeof verificationView>;
