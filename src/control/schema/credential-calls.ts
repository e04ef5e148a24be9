import { Type } from 'typebox';

import {
  closed,
  fileText,
  MAX_TEXT,
  nothing,
  optional,
  optionalFlag,
  orNull,
  reference,
  text,
} from './shapes.ts';
import { credentialView } from './views.ts';

/** A whole key file, and some more. */
const MAX_SECRET = 64 << 10;

/** More endpoints than any store has gateways behind one name. */
const MAX_ENDPOINTS = 64;

/** Of credentials, and of the store of their secrets. */
export const CREDENTIAL_CALLS = {
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
  changePassphrase: {
    input: closed({
      credential: reference(),
      passphrase: reference(),
      oldPassphrase: optional(),
      allClusters: optionalFlag(),
    }),
    output: closed({
      outcome: Type.Union([Type.Literal('changed'), Type.Literal('adopted')], {
        description: 'adopted: it had been changed elsewhere',
      }),
      credentials: Type.Array(Type.String({ description: 'names of those that have it now' })),
      unchecked: Type.Array(
        Type.String({ description: 'names of those with the old one whose store gave no answer' }),
      ),
      otherClusters: Type.Integer({ description: 'in the bucket, not changed' }),
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
  putSecret: {
    input: closed({ name: reference(), value: Type.String({ maxLength: MAX_SECRET }) }),
    output: nothing,
  },
  getSecret: {
    input: closed({ name: reference() }),
    output: closed({ name: Type.String(), value: Type.String() }),
  },
  listSecrets: { input: nothing, output: Type.Array(closed({ name: Type.String() })) },
} as const;
