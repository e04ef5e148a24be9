/**
 * When a schedule runs, in UTC: a host that changes its zone or summer time backs up as before. As
 * text, the way users of the original write it:
 *
 * | kind     | text             | runs                                                         |
 * |----------|------------------|--------------------------------------------------------------|
 * | Periodic | `30`             | every 30 minutes, counted from the schedule's creation       |
 * | Daily    | `02:00`          | every day at that time                                       |
 * | Weekly   | `sunday@02:00`   | on that day; three letters will do                           |
 * | Monthly  | `31@02:00`       | on that day, or on the last one of a month that is shorter   |
 */
import { CloudvolError } from '../../base/errors.ts';

export type ScheduleRule =
  | { readonly kind: 'Periodic'; readonly everyMinutes: number }
  | { readonly kind: 'Daily'; readonly minuteOfDay: number }
  | { readonly kind: 'Weekly'; readonly weekday: number; readonly minuteOfDay: number }
  | { readonly kind: 'Monthly'; readonly day: number; readonly minuteOfDay: number };

export type ScheduleKind = ScheduleRule['kind'];

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A year: longer is no schedule, and a typing mistake. */
const MAX_PERIOD_MINUTES = 366 * 24 * 60;
/** As Date.getUTCDay counts them. */
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
/** Letters that tell every weekday from the others. */
const WEEKDAY_LETTERS = 3;

const FORMS: Readonly<Record<ScheduleKind, string>> = {
  Periodic: `minutes, from 1 to ${MAX_PERIOD_MINUTES}`,
  Daily: 'hh:mm',
  Weekly: 'weekday@hh:mm',
  Monthly: 'day@hh:mm',
};

/** @throws CloudvolError `schedule/bad-time` naming the form that was expected. */
export function parseScheduleRule(kind: ScheduleKind, text: string): ScheduleRule {
  const rule = parse(kind, text.trim().toLowerCase());
  if (rule) return rule;
  const example = { Periodic: '60', Daily: '02:00', Weekly: 'sunday@02:00', Monthly: '1@02:00' };
  throw new CloudvolError(
    'schedule/bad-time',
    `${JSON.stringify(text)} is no ${kind.toLowerCase()} time: it is written ${FORMS[kind]}`,
    { hint: `for example ${example[kind]}, in UTC` },
  );
}

/** What parseScheduleRule reads again. */
export function scheduleText(rule: ScheduleRule): string {
  if (rule.kind === 'Periodic') return String(rule.everyMinutes);
  const time = timeText(rule.minuteOfDay);
  if (rule.kind === 'Daily') return time;
  return `${rule.kind === 'Weekly' ? WEEKDAYS[rule.weekday] : rule.day}@${time}`;
}

/**
 * The latest instant at or before `atMs` at which the rule was to run, in ms since 1970.
 * @param anchorMs one of the instants of a Periodic rule.
 */
export function latestDue(rule: ScheduleRule, atMs: number, anchorMs: number): number {
  if (rule.kind === 'Periodic') {
    const periodMs = rule.everyMinutes * MINUTE_MS;
    return anchorMs + Math.floor((atMs - anchorMs) / periodMs) * periodMs;
  }
  if (rule.kind === 'Monthly') {
    const at = new Date(atMs);
    const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
    const due = inMonth(year, month, rule);
    return due <= atMs ? due : inMonth(year, month - 1, rule);
  }
  const due = latestDaily(atMs, rule.minuteOfDay);
  if (rule.kind === 'Daily') return due;
  return due - ((new Date(due).getUTCDay() - rule.weekday + 7) % 7) * DAY_MS;
}

/** The first instant after `afterMs` at which the rule is to run. */
export function nextDue(rule: ScheduleRule, afterMs: number, anchorMs: number): number {
  const stepMs = rule.kind === 'Periodic' ? rule.everyMinutes * MINUTE_MS : DAY_MS;
  let atMs = afterMs;
  for (;;) {
    // Steps are no longer than any period, so that none is passed over; a month has 31 at most.
    atMs += stepMs;
    const due = latestDue(rule, atMs, anchorMs);
    if (due > afterMs) return due;
  }
}

function latestDaily(atMs: number, minuteOfDay: number): number {
  const due = Math.floor(atMs / DAY_MS) * DAY_MS + minuteOfDay * MINUTE_MS;
  return due <= atMs ? due : due - DAY_MS;
}

/** Date.UTC takes month -1 for the December before, and day 0 for the last day before. */
function inMonth(
  year: number,
  month: number,
  { day, minuteOfDay }: Extract<ScheduleRule, { kind: 'Monthly' }>,
): number {
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(day, lastDay)) + minuteOfDay * MINUTE_MS;
}

function parse(kind: ScheduleKind, text: string): ScheduleRule | undefined {
  if (kind === 'Periodic') {
    const everyMinutes = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    const isPossible = everyMinutes >= 1 && everyMinutes <= MAX_PERIOD_MINUTES;
    return isPossible ? { kind, everyMinutes } : undefined;
  }
  const [, dayText = '', time = ''] = /^(?:([^@]*)@)?([^@]*)$/.exec(text) ?? [];
  const minuteOfDay = parseTime(time);
  if (minuteOfDay === undefined || text.includes('@') !== (kind !== 'Daily')) return undefined;
  if (kind === 'Daily') return { kind, minuteOfDay };
  if (kind === 'Weekly') {
    const isShort = dayText.length >= WEEKDAY_LETTERS;
    const weekday = isShort ? WEEKDAYS.findIndex((name) => name.startsWith(dayText)) : -1;
    return weekday < 0 ? undefined : { kind, weekday, minuteOfDay };
  }
  const day = /^\d{1,2}$/.test(dayText) ? Number(dayText) : 0;
  return day >= 1 && day <= 31 ? { kind, day, minuteOfDay } : undefined;
}

function parseTime(text: string): number | undefined {
  const [, hours = '', minutes = ''] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? [];
  if (hours === '' || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return Number(hours) * 60 + Number(minutes);
}

function timeText(minuteOfDay: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(minuteOfDay / 60))}:${two(minuteOfDay % 60)}`;
}
