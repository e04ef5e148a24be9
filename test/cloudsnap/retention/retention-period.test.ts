import test from 'ava';
import { periodAt } from '../../../src/cloudsnap/retention/retention-period.ts';

test('weeks are those of ISO 8601, also where years meet', (t) => {
  // As `date -u -d … +%G-W%V` says.
  const weeks = {
    '1970-01-01': '1970-W01',
    '2004-12-31': '2004-W53',
    '2005-01-02': '2004-W53',
    '2005-01-03': '2005-W01',
    '2008-12-29': '2009-W01',
    '2010-01-03': '2009-W53',
    '2026-11-27': '2026-W48',
    '2027-01-03': '2026-W53',
    '2027-01-04': '2027-W01',
  };
  for (const [date, week] of Object.entries(weeks)) {
    t.is(periodAt('weekly', Date.parse(`${date}T00:00:00Z`)), week);
    t.is(periodAt('weekly', Date.parse(`${date}T23:59:59.999Z`)), week);
  }
});

test('every instant that a manifest can have is in a period', (t) => {
  t.is(periodAt('daily', 0), '1970-01-01');
  t.is(periodAt('monthly', Date.UTC(2026, 10, 30, 23, 59)), '2026-11');
  t.is(periodAt('yearly', Date.UTC(2026, 11, 31, 23, 59)), '2026');
  const last = 8.64e15;
  t.is(periodAt('daily', last), '+275760-09-13');
  t.is(periodAt('weekly', last), '+275760-W37');
  t.is(periodAt('monthly', last), '+275760-09');
  t.is(periodAt('yearly', last), '+275760');
});
