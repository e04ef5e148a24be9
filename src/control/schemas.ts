/**
 * The inputs and outputs of every call, group by group in schema/. The server checks inputs against
 * them; a client imports their types only.
 */
import { Type, type Static, type TObject, type TSchema } from 'typebox';

import type { RouteName } from './routes.ts';
import {
  CATALOG_CALLS,
  type catalogEnd,
  type catalogHead,
  type fileEntry,
} from './schema/catalog-calls.ts';
import { CLOUDSNAP_CALLS } from './schema/cloudsnap-calls.ts';
import { CREDENTIAL_CALLS } from './schema/credential-calls.ts';
import { RETENTION_CALLS } from './schema/retention-calls.ts';
import { SCHEDULE_CALLS, type scheduleView } from './schema/schedule-calls.ts';
import { closed, nothing, time } from './schema/shapes.ts';
import { SWEEP_CALLS } from './schema/sweep-calls.ts';
import { TASK_CALLS } from './schema/task-calls.ts';
import type {
  cloudsnapView,
  credentialView,
  taskView,
  verificationView,
  volumeView,
} from './schema/views.ts';
import { VOLUME_CALLS } from './schema/volume-calls.ts';

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
  ...VOLUME_CALLS,
  ...CREDENTIAL_CALLS,
  ...CLOUDSNAP_CALLS,
  ...CATALOG_CALLS,
  ...RETENTION_CALLS,
  ...SWEEP_CALLS,
  ...TASK_CALLS,
  ...SCHEDULE_CALLS,
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
export type FileEntryView = Static<typeof fileEntry>;
export type CatalogHead = Static<typeof catalogHead>;
export type CatalogEnd = Static<typeof catalogEnd>;
