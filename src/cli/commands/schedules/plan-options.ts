import { CloudvolError } from '../../../base/errors.ts';
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
    about: 'cloudsnaps of each kind that are kept, and from one full to the next [7]',
  },
  retention: {
    kind: 'text',
    alias: ['r'],
    about: 'keep those of so many days as well; 0: no more',
  },
  'keep-daily': { kind: 'text', about: 'and the newest of each of so many days, in UTC' },
  'keep-weekly': { kind: 'text', about: 'and of each of so many weeks' },
  'keep-monthly': { kind: 'text', about: 'and of each of so many months' },
  'keep-yearly': { kind: 'text', about: 'and of each of so many years' },
  'keep-all': { kind: 'flag', about: 'remove nothing: --max is only the distance of fulls' },
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
    ...retentionOf(options),
    ...given({
      credential: options['cred-id'],
      max: max === undefined ? undefined : parseCount('max', max),
    }),
  };
}

function retentionOf(options: OptionValues<typeof PLAN_OPTIONS>): Pick<PlanInput, 'retention'> {
  const rules = given({
    withinDays: countOrNone('retention', options.retention),
    daily: countOrNone('keep-daily', options['keep-daily']),
    weekly: countOrNone('keep-weekly', options['keep-weekly']),
    monthly: countOrNone('keep-monthly', options['keep-monthly']),
    yearly: countOrNone('keep-yearly', options['keep-yearly']),
  });
  const isGiven = Object.keys(rules).length > 0;
  if (!options['keep-all']) return isGiven ? { retention: rules } : {};
  if (!isGiven) return { retention: null };
  throw new CloudvolError('usage/bad-option', '--keep-all leaves nothing for other rules to keep', {
    hint: 'give --keep-all, or what to keep',
  });
}

/** 0 takes a rule back. */
function countOrNone(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return text === '0' ? 0 : parseCount(option, text);
}
