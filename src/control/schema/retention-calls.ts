import { Type } from 'typebox';

import { closed, count, labels, orNull, reference, time } from './shapes.ts';
import { taskView } from './views.ts';

/** More is no rule but a typing mistake: a cloudsnap an hour for eleven years, or 270 years. */
export const MAX_KEPT = 100_000;

const kept = (description: string, minimum = 1) =>
  Type.Optional(Type.Integer({ minimum, maximum: MAX_KEPT, description }));

/** @param minimum 0 where a rule may be taken back. */
export const retentionRules = (minimum?: number) => ({
  withinDays: kept('those made within so many days before the newest', minimum),
  daily: kept('the newest of so many days in UTC', minimum),
  weekly: kept('the newest of so many weeks, by ISO 8601', minimum),
  monthly: kept('the newest of so many months', minimum),
  yearly: kept('the newest of so many years', minimum),
});

const plannedCloudsnap = closed({
  id: Type.String(),
  volumeId: Type.String(),
  volumeName: Type.String(),
  clusterId: Type.String(),
  created: time(),
  type: Type.String(),
  incremental: Type.Boolean(),
  storedBytes: count(),
  action: Type.Union([Type.Literal('keep'), Type.Literal('remove')]),
  reasons: Type.Array(Type.String({ description: 'one or more' })),
});

export const RETENTION_CALLS = {
  pruneCloudsnaps: {
    input: closed({
      credential: Type.Optional(reference()),
      source: Type.Optional(Type.String({ description: 'volume, by id or name' })),
      allVolumes: Type.Optional(Type.Boolean({ description: 'also those that are gone' })),
      cluster: Type.Optional(reference()),
      rules: closed({ last: kept('so many of the newest'), ...retentionRules() }),
      keepLabels: Type.Optional(labels()),
      dryRun: Type.Optional(Type.Boolean()),
      takeover: Type.Optional(
        Type.Boolean({ description: 'at once, although another host writes for the volumes' }),
      ),
    }),
    output: closed({
      cloudsnaps: Type.Array(plannedCloudsnap),
      task: orNull(taskView),
    }),
  },
} as const;
