import { Type } from 'typebox';

import {
  absentTimeout,
  closed,
  hydrationRate,
  labels,
  MAX_TEXT,
  orNull,
  reference,
  text,
} from './shapes.ts';
import { cloudsnapView, taskView, verificationView, volumeView } from './views.ts';

const takeover = () =>
  Type.Boolean({ description: 'at once, although another host writes for the volume' });

export const CLOUDSNAP_CALLS = {
  backup: {
    input: closed({
      volume: reference(),
      credential: Type.Optional(reference()),
      full: Type.Optional(Type.Boolean()),
      frequency: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 1000, description: 'backups from a full to the next' }),
      ),
      labels: Type.Optional(labels()),
      takeover: Type.Optional(takeover()),
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
      rateBytesPerSecond: Type.Optional(hydrationRate()),
      absentTimeoutSeconds: Type.Optional(absentTimeout()),
    }),
    output: closed({ volume: volumeView, task: taskView, hydrateTask: orNull(taskView) }),
  },
  listCloudsnaps: {
    input: closed({
      credential: Type.Optional(reference()),
      source: Type.Optional(Type.String({ description: 'volume, by id or name' })),
      cluster: Type.Optional(
        Type.String({ minLength: 1, maxLength: MAX_TEXT, description: 'id, or its bucket' }),
      ),
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
      max: Type.Optional(
        Type.Integer({ minimum: 1, description: 'the newest; with `after`: the next so many' }),
      ),
      after: Type.Optional(
        Type.String({
          maxLength: MAX_TEXT,
          description: 'place of the last one seen; empty: none',
        }),
      ),
    }),
    output: Type.Array(cloudsnapView),
  },
  deleteCloudsnap: {
    input: closed({
      cloudsnap: reference(),
      credential: Type.Optional(reference()),
      takeover: Type.Optional(takeover()),
    }),
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
} as const;
