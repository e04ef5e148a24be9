import { Type } from 'typebox';

import { retentionRules } from './retention-calls.ts';
import { closed, count, MAX_TEXT, nothing, orNull, reference, time } from './shapes.ts';

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
      description: 'cloudsnaps from one full to the next, and how many of each kind are kept',
    }),
  ),
  retention: Type.Optional(
    // What is kept besides: 0 takes a rule back, null keeps everything.
    orNull(closed(retentionRules(0))),
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
  retention: orNull(closed(retentionRules())),
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
  lastRetention: orNull(
    closed({
      ended: time(),
      removed: count(),
      failure: orNull(Type.String({ description: 'why not all were removed' })),
    }),
  ),
});

export const SCHEDULE_CALLS = {
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
} as const;
