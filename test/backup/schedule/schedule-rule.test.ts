import test from 'ava';
import {
  latestDue,
  nextDue,
  parseScheduleRule,
  scheduleText,
  type ScheduleKind,
} from '../../../src/backup/schedule/schedule-rule.ts';
import { seededRandom } from '../../../src/base/seeded-random.ts';

const at = (iso: string) => Date.parse(`${iso}Z`);
const iso = (ms: number) => new Date(ms).toISOString().slice(0, 16);
const NO_ANCHOR = 0;

test('each kind is read as users of the original write it, and written so again', (t) => {
  const cases: [ScheduleKind, string, string][] = [
    ['Periodic', '30', '30'],
    ['Daily', '2:05', '02:05'],
    ['Daily', '23:59', '23:59'],
    ['Weekly', 'Sun@00:00', 'sunday@00:00'],
    ['Weekly', 'thursday@04:30', 'thursday@04:30'],
    ['Monthly', '31@12:00', '31@12:00'],
  ];
  for (const [kind, written, again] of cases) {
    const rule = parseScheduleRule(kind, written);
    t.is(scheduleText(rule), again);
    t.deepEqual(parseScheduleRule(kind, again), rule);
  }
});

test('what is no time is refused, and the form that is wanted is named', (t) => {
  const bad: [ScheduleKind, string][] = [
    ['Periodic', '0'],
    ['Periodic', '-5'],
    ['Periodic', '1.5'],
    ['Periodic', '999999'],
    ['Daily', '24:00'],
    ['Daily', '02:60'],
    ['Daily', 'sunday@02:00'],
    ['Weekly', '02:00'],
    ['Weekly', 's@02:00'],
    ['Weekly', 'someday@02:00'],
    ['Weekly', '@02:00'],
    ['Monthly', '0@02:00'],
    ['Monthly', '32@02:00'],
    ['Monthly', '1@02:00@03:00'],
  ];
  for (const [kind, text] of bad) {
    t.throws(() => parseScheduleRule(kind, text), { code: 'schedule/bad-time' }, `${kind} ${text}`);
  }
  t.throws(() => parseScheduleRule('Daily', 'noon'), {
    message: '"noon" is no daily time: it is written hh:mm',
  });
});

test('daily, weekly and monthly times are UTC, whatever the month and the year', (t) => {
  const next = (kind: ScheduleKind, text: string, after: string) =>
    iso(nextDue(parseScheduleRule(kind, text), at(after), NO_ANCHOR));
  t.is(next('Daily', '02:00', '2026-11-27T01:59'), '2026-11-27T02:00');
  t.is(next('Daily', '02:00', '2026-11-27T02:00'), '2026-11-28T02:00');
  t.is(next('Daily', '00:00', '2026-12-31T12:00'), '2027-01-01T00:00');
  t.is(next('Weekly', 'friday@03:00', '2026-11-27T02:00'), '2026-11-27T03:00');
  t.is(next('Weekly', 'friday@03:00', '2026-11-27T03:00'), '2026-12-04T03:00');
  t.is(next('Weekly', 'sunday@03:00', '2026-11-27T12:00'), '2026-11-29T03:00');
  t.is(next('Monthly', '1@04:00', '2026-12-15T00:00'), '2027-01-01T04:00');
});

test('a month without the day runs on its last one', (t) => {
  const rule = parseScheduleRule('Monthly', '31@04:00');
  const runs: string[] = [];
  for (let now = at('2028-01-01T00:00'), run = 0; run < 5; run++) {
    now = nextDue(rule, now, NO_ANCHOR);
    runs.push(iso(now).slice(0, 10));
  }
  t.deepEqual(runs, ['2028-01-31', '2028-02-29', '2028-03-31', '2028-04-30', '2028-05-31']);
});

test('a period counts from its anchor, in both directions', (t) => {
  const rule = parseScheduleRule('Periodic', '90');
  const anchor = at('2026-11-27T00:10');
  t.is(iso(nextDue(rule, at('2026-11-27T00:10'), anchor)), '2026-11-27T01:40');
  t.is(iso(latestDue(rule, at('2026-11-27T03:09'), anchor)), '2026-11-27T01:40');
  t.is(iso(latestDue(rule, at('2026-11-26T23:00'), anchor)), '2026-11-26T22:40');
});

test('the next due is the first: no instant lies between, and it is its own latest', (t) => {
  const seed = Number(process.env['SEED'] ?? 20261127);
  const random = seededRandom(seed);
  const two = (value: number) => String(value).padStart(2, '0');
  for (let round = 0; round < 2000; round++) {
    const time = `${two(random.below(24))}:${two(random.below(60))}`;
    const texts: Record<ScheduleKind, string> = {
      Periodic: String(1 + random.below(3000)),
      Daily: time,
      Weekly: `${['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][random.below(7)]}@${time}`,
      Monthly: `${1 + random.below(31)}@${time}`,
    };
    const kinds = Object.keys(texts) as ScheduleKind[];
    const kind = kinds[random.below(kinds.length)]!;
    const rule = parseScheduleRule(kind, texts[kind]);
    const now = at('2024-01-01T00:00') + random.below(1 << 30) * 60;
    const anchor = at('2025-06-01T00:00') + random.below(1 << 20);
    const due = nextDue(rule, now, anchor);
    const where = `SEED=${seed} ${kind} ${texts[kind]} after ${iso(now)}`;
    t.true(due > now, where);
    t.is(latestDue(rule, due, anchor), due, where);
    t.true(latestDue(rule, due - 1, anchor) <= now, where);
  }
});
