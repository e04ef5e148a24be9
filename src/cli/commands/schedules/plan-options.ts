import type { Api } from '../../../control/schemas.ts';
import type { OptionTable, OptionValues } from '../../command.ts';
import { given } from '../../given.ts';
import { parseCount } from '../../parse-count.ts';

/** What `create` and `update` take; with `update`, what is not given stays as it is. */
export const PLAN_OPTIONS = {
  periodic: { kind: 'list', alias: ['p'], about: 'every so many minutes' },
  daily: { kind: 'list', alias: ['d'], about: 'hh:mm in UTC' },
  weekly: { kind: 'list', alias: ['w'], about: 'weekday@hh:mm in UTC' },
  monthly: {
    kind: 'list',
    alias: ['m'],
    about: 'day@hh:mm in UTC; the last day where a month is shorter',
  },
  max: {
    kind: 'text',
    alias: ['x'],
    about: 'cloudsnaps from one full to the next [7]',
  },
  full: { kind: 'flag', alias: ['f'], about: 'every cloudsnap a full one' },
  'cred-id': { kind: 'text', alias: ['cr'], about: 'Cloud credentials ID (or name)' },
} as const satisfies OptionTable;

type PlanInput = Omit<Api['updateSchedule']['input'], 'schedule'>;

/** @throws CloudvolError `usage/bad-number` */
export function planOf(options: OptionValues<typeof PLAN_OPTIONS>): PlanInput {
  const rules = [
    ...options.periodic.map((at) => ({ kind: 'Periodic' as const, at })),
    ...options.daily.map((at) => ({ kind: 'Daily' as const, at })),
    ...options.weekly.map((at) => ({ kind: 'Weekly' as const, at })),
    ...options.monthly.map((at) => ({ kind: 'Monthly' as const, at })),
  ];
  const { max } = options;
  return {
    ...(rules.length > 0 && { rules }),
    ...(options.full && { full: true }),
    ...given({
      credential: options['cred-id'],
      max: max === undefined ? undefined : parseCount('max', max),
    }),
  };
}
