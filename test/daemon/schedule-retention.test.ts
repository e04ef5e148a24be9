import test, { type ExecutionContext } from 'ava';
import type { Api } from '../../src/control/schemas.ts';
import { CloudsnapLab } from '../cloudsnap/cloudsnap-lab.ts';
import { eventually } from '../support/eventually.ts';
import { openLabOf } from './agent-lab.ts';
import { CloudDomain } from './cloud-domain.ts';

const HOUR = 3_600_000;
type Plan = Omit<Api['createSchedule']['input'], 'volume'>;

/** Of the first cloudsnap. */
const isTombstone = (key: string) => /manifests.*0000000001\.\w/.test(key);
const HOURLY: Plan = { rules: [{ kind: 'Periodic', at: '60' }], full: true };

/** An agent whose clock the test moves, with a volume that is backed up to a store in memory. */
async function openScheduleLab(t: ExecutionContext) {
  const cloud = await CloudsnapLab.open();
  const domain = new CloudDomain(cloud);
  domain.backUpForReal();
  const lab = await openLabOf(t, domain, cloud.clock);
  await lab.create('v');
  return lab;
}

type Lab = Awaited<ReturnType<typeof openScheduleLab>>;

const create = (lab: Lab, plan: Plan) => lab.call('createSchedule', { volume: 'v', ...plan });

async function find(lab: Lab, id: string) {
  return (await lab.call('listSchedules', {})).find((schedule) => schedule.id === id);
}

/** Lets time pass up to a run of the schedule, and waits for all that follows from it. */
async function run(lab: Lab, id: string, afterMs = HOUR) {
  const before = (await find(lab, id))?.lastRun?.due;
  await lab.domain.cloud.clock.advance(afterMs);
  const started = await eventually('the schedule has run', async () => {
    const { lastRun } = (await find(lab, id)) ?? {};
    return lastRun && lastRun.due !== before ? lastRun : undefined;
  });
  await lab.ended(started.taskId ?? '');
  return started;
}

async function retention(lab: Lab, id: string) {
  return eventually('the retention has ended', async () => {
    const { lastRetention, lastRun } = (await find(lab, id)) ?? {};
    return lastRetention && lastRun && lastRetention.ended >= lastRun.started
      ? lastRetention
      : undefined;
  });
}

async function runAndRetain(lab: Lab, id: string, afterMs = HOUR) {
  await run(lab, id, afterMs);
  return retention(lab, id);
}

async function types(lab: Lab) {
  return (await lab.call('listCloudsnaps', {})).map(({ type }) => type);
}

test('a schedule keeps so many of what it has made, and removes nothing else', async (t) => {
  const lab = await openScheduleLab(t);
  const { id } = await create(lab, { ...HOURLY, max: 2 });
  const other = await create(lab, { rules: [{ kind: 'Periodic', at: '90' }], max: 9, full: true });
  t.deepEqual((await find(lab, id))?.retention, {});
  const manual = await lab.call('backup', { volume: 'v', full: true });
  await lab.ended(manual.id);
  for (let hour = 1; hour <= 4; hour++) {
    const { removed, failure } = await runAndRetain(lab, id);
    t.is(failure, null);
    t.is(removed, hour <= 2 ? 0 : 1);
  }
  await retention(lab, other.id);
  // Two of the first schedule, two of the second, and the one by hand.
  t.deepEqual((await types(lab)).toSorted(), ['Manual', ...Array<string>(4).fill('Periodic')]);
  const deleted = (await lab.call('listTasks', {})).filter(({ kind }) => kind === 'Delete');
  t.is(deleted.length, 2);
});

test('bases of what a schedule keeps stay: its count is also the distance of fulls', async (t) => {
  const lab = await openScheduleLab(t);
  const { id } = await create(lab, { ...HOURLY, full: false, max: 3 });
  const counts: number[] = [];
  for (let hour = 1; hour <= 7; hour++) {
    await runAndRetain(lab, id);
    counts.push((await types(lab)).length);
  }
  t.deepEqual(counts, [1, 2, 3, 4, 5, 3, 4]);
  const kept = await lab.call('listCloudsnaps', {});
  t.deepEqual(
    kept.map(({ incremental }) => incremental),
    [false, true, true, false],
  );
});

test('each kind of a schedule is counted by itself', async (t) => {
  const lab = await openScheduleLab(t);
  const { id } = await create(lab, {
    rules: [
      { kind: 'Periodic', at: '720' },
      { kind: 'Daily', at: '06:00' },
    ],
    max: 1,
    full: true,
  });
  for (const hours of [6, 6, 12, 6]) await runAndRetain(lab, id, hours * HOUR);
  t.deepEqual(await types(lab), ['Periodic', 'Daily']);
});

test('more rules keep more; --keep-all removes nothing, and can be taken back', async (t) => {
  const lab = await openScheduleLab(t);
  const { id } = await create(lab, { ...HOURLY, max: 1, retention: null });
  t.is((await find(lab, id))?.retention, null);
  for (let hour = 1; hour <= 3; hour++) await run(lab, id);
  t.is((await types(lab)).length, 3);
  t.is((await find(lab, id))?.lastRetention, null);
  await lab.call('updateSchedule', { schedule: id, max: 1 });
  t.is((await find(lab, id))?.retention, null, 'a distance of fulls is no word to remove');
  await lab.call('updateSchedule', { schedule: id, retention: { withinDays: 1, daily: 3 } });
  t.is((await runAndRetain(lab, id)).removed, 0);
  const { retention: changed } = await lab.call('updateSchedule', {
    schedule: id,
    retention: { withinDays: 0 },
  });
  t.deepEqual(changed, { daily: 3 });
  t.is((await runAndRetain(lab, id)).removed, 4);
  t.is((await types(lab)).length, 1);
});

test('a backup that fails removes nothing', async (t) => {
  const lab = await openScheduleLab(t);
  const { id } = await create(lab, { ...HOURLY, max: 1 });
  await runAndRetain(lab, id);
  const before = (await find(lab, id))?.lastRetention;
  lab.domain.cloud.faults = ({ key }) => ({ kind: key.includes('pack-') ? 'error' : 'none' });
  const { taskId } = await run(lab, id);
  t.is((await lab.ended(taskId ?? '')).state, 'Failed');
  t.deepEqual((await find(lab, id))?.lastRetention, before);
  t.is((await types(lab)).length, 1);
});

test('a retention that fails is in the log and the list; the next makes up for it', async (t) => {
  const lab = await openScheduleLab(t);
  const { cloud } = lab.domain;
  const { id } = await create(lab, { ...HOURLY, max: 1 });
  await runAndRetain(lab, id);
  cloud.faults = ({ verb, key }) => ({
    kind: verb === 'put' && isTombstone(key) ? 'error' : 'none',
  });
  const failed = await runAndRetain(lab, id);
  t.regex(failed.failure ?? '', /was not removed: .* 1 of 1 cloudsnaps were not removed/);
  t.is(lab.log.filter((line) => line.includes('"schedule.retention-failed"')).length, 1);
  cloud.faults = () => ({ kind: 'none' });
  t.like(await runAndRetain(lab, id), { removed: 2, failure: null });
  t.is((await types(lab)).length, 1);
});

test('what the end of the agent cut off is made up for by the next run', async (t) => {
  const lab = await openScheduleLab(t);
  const { cloud } = lab.domain;
  const { id } = await create(lab, { ...HOURLY, max: 1 });
  await runAndRetain(lab, id);
  cloud.faults = ({ verb, key }) => ({
    kind: verb === 'put' && isTombstone(key) ? 'hang' : 'none',
  });
  await run(lab, id);
  await eventually('a deletion is at work', async () =>
    (await lab.call('listTasks', {})).find(
      ({ kind, state }) => kind === 'Delete' && state === 'Active',
    ),
  );
  await lab.stop();
  cloud.faults = () => ({ kind: 'none' });
  await lab.start();
  t.is((await types(lab)).length, 2);
  t.like(await runAndRetain(lab, id), { removed: 2, failure: null });
  t.is((await types(lab)).length, 1);
});

test('what a deleted schedule has made stays, also under the next one', async (t) => {
  const lab = await openScheduleLab(t);
  const first = await create(lab, { ...HOURLY, max: 3 });
  for (let hour = 1; hour <= 2; hour++) await runAndRetain(lab, first.id);
  await lab.call('deleteSchedule', { schedule: first.id });
  const { id } = await create(lab, { ...HOURLY, max: 1 });
  for (let hour = 1; hour <= 2; hour++) await runAndRetain(lab, id);
  t.is((await types(lab)).length, 3);
});
