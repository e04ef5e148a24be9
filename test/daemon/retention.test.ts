import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { silentLog } from '../../src/base/log.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { UploadJournal } from '../../src/cloudsnap/upload-journal.ts';
import type { Api } from '../../src/control/schemas.ts';
import { CloudsnapLab, ModelImage } from '../cloudsnap/cloudsnap-lab.ts';
import { openLabOf } from './agent-lab.ts';
import { CloudDomain } from './cloud-domain.ts';

const DAY = 24 * 3_600_000;

async function openCloud(t: ExecutionContext) {
  const lab = await openLabOf(t, new CloudDomain(await CloudsnapLab.open()));
  await lab.call('listCloudsnaps', {});
  return lab;
}

type Lab = Awaited<ReturnType<typeof openCloud>>;
type Input = Api['pruneCloudsnaps']['input'];

/** A cloudsnap a day: `f` is a full, `i` an incremental. */
async function chain(lab: Lab, image: ModelImage, kinds: string): Promise<string[]> {
  const { cloud, repository } = lab.domain;
  let parent: CloudsnapEntry | null = null;
  const ids: string[] = [];
  for (const [index, kind] of Array.from(kinds).entries()) {
    await cloud.clock.advance(DAY);
    image.write(0, new Uint8Array(4096).fill(index + 1));
    parent = await cloud.upload(image, kind === 'f' ? null : parent, [0], repository);
    ids.push(parent.manifest.cloudsnapId);
  }
  return ids;
}

async function prune(lab: Lab, input: Omit<Input, 'allVolumes'>) {
  const all = input.source === undefined ? { allVolumes: true } : {};
  const answer = await lab.call('pruneCloudsnaps', { ...input, ...all });
  const task = answer.task && (await lab.ended(answer.task.id));
  const actions = answer.cloudsnaps.map(({ action }) => action).join(' ');
  return { ...answer, task, actions };
}

const visible = async (lab: Lab) => (await lab.call('listCloudsnaps', {})).map(({ id }) => id);

test('prune removes what no rule keeps, dependants before bases', async (t) => {
  const lab = await openCloud(t);
  const image = new ModelImage(4);
  const ids = await chain(lab, image, 'fiififi');
  const { actions, cloudsnaps, task } = await prune(lab, { source: image.id, rules: { last: 3 } });
  t.is(actions, 'remove remove remove keep keep keep keep');
  t.deepEqual(cloudsnaps[0]?.reasons, ['no rule keeps it']);
  t.deepEqual(cloudsnaps[3]?.reasons, [`as the base of ${ids[4]}`]);
  t.like(task, { kind: 'Prune', state: 'Done', volumeId: image.id, result: { removed: 3 } });
  t.is(task?.bytesDone, task?.bytesTotal);
  t.deepEqual(await visible(lab), ids.slice(3));
  const deleted = (await lab.call('listTasks', {})).filter(({ kind }) => kind === 'Delete');
  t.deepEqual(
    deleted.map(({ cloudsnapId, state }) => [cloudsnapId, state]),
    [ids[2], ids[1], ids[0]].map((id) => [id, 'Done']),
  );
  const again = await prune(lab, { source: image.id, rules: { last: 3 } });
  t.is(again.task, null);
});

test('all volumes are pruned each by itself, also those that are gone', async (t) => {
  const lab = await openCloud(t);
  const images = [new ModelImage(4), new ModelImage(4)];
  for (const image of images) await chain(lab, image, 'fff');
  const { actions, task } = await prune(lab, { rules: { last: 1 } });
  t.is(actions, 'remove remove keep remove remove keep');
  t.like(task, { state: 'Done', volumeId: '', result: { removed: 4 } });
  t.is((await visible(lab)).length, 2);
});

test('a dry run changes nothing at all', async (t) => {
  const lab = await openCloud(t);
  const { cloud } = lab.domain;
  await chain(lab, new ModelImage(4), 'fiif');
  const objects = async () => {
    const found = [];
    for await (const info of cloud.disk.list('')) found.push(info);
    return found;
  };
  const before = await objects();
  const requests = cloud.metrics.snapshot().requests;
  const { actions, task } = await prune(lab, { rules: { last: 1 }, dryRun: true });
  t.is(actions, 'remove remove remove keep');
  t.is(task, null);
  t.deepEqual(await objects(), before);
  const { put, get, delete: deleted } = cloud.metrics.snapshot().requests;
  t.deepEqual([put, deleted], [requests.put, requests.delete]);
  await prune(lab, { rules: { last: 1 }, dryRun: true });
  t.is(cloud.metrics.snapshot().requests.get, get, 'each manifest is read once');
  t.deepEqual(await lab.call('listTasks', { history: true }), []);
});

test('volumes that another host owns are pruned at once when they are taken over', async (t) => {
  const lab = await openCloud(t);
  const image = new ModelImage(4);
  const ids = await chain(lab, image, 'ff');
  const other = await lab.domain.cloud.another({ hostId: 'other' });
  await other.own(image.id, { takeover: true }, new AbortController().signal);
  // Without it this would wait for a lease by a clock that stands still.
  const { task } = await prune(lab, { rules: { last: 1 }, takeover: true });
  t.like(task, { state: 'Done', result: { removed: 1 } });
  t.deepEqual(await visible(lab), [ids[1]]);
});

test('a deletion that fails does not hold up the others, and the task says so', async (t) => {
  const lab = await openCloud(t);
  const { cloud } = lab.domain;
  const ids = await chain(lab, new ModelImage(4), 'fififf');
  cloud.faults = ({ verb, key }) => ({
    kind: verb === 'put' && key.includes('0000000004.') ? 'error' : 'none',
  });
  const { task } = await prune(lab, { rules: { last: 1 } });
  t.like(task, {
    state: 'Failed',
    result: { removed: 3, failed: 2, errorCode: 'retention/incomplete' },
  });
  t.regex(task?.info[0] ?? '', new RegExp(`^${ids[3]} was not removed: `));
  t.regex(task?.info[1] ?? '', new RegExp(`^${ids[2]} was not removed: .*is needed by later ones`));
  t.regex(task?.info[2] ?? '', /^2 of 5 cloudsnaps were not removed/);
  t.deepEqual(await visible(lab), [ids[2], ids[3], ids[5]]);
  cloud.faults = () => ({ kind: 'none' });
  t.like((await prune(lab, { rules: { last: 1 } })).task, { state: 'Done' });
  t.deepEqual(await visible(lab), [ids[5]]);
});

test('retention-keeps-bases: a volume here reads from it', async (t) => {
  const lab = await openCloud(t);
  const ids = await chain(lab, new ModelImage(4), 'fiif');
  const cloudsnap = ids[1] ?? '';
  await lab.call('restore', { cloudsnap, name: 'lazy', lazy: true, hydrate: false });
  const { actions, cloudsnaps, task } = await prune(lab, { rules: { last: 1 } });
  t.is(actions, 'keep keep remove keep');
  t.deepEqual(cloudsnaps[0]?.reasons, [`as the base of ${cloudsnap}`]);
  t.deepEqual(cloudsnaps[1]?.reasons, ['volume lazy still reads from it']);
  t.like(task, { state: 'Done' });
  t.deepEqual(await visible(lab), [ids[0], ids[1], ids[3]]);
  await lab.call('deleteVolume', { volume: 'lazy' });
  await prune(lab, { rules: { last: 1 } });
  t.deepEqual(await visible(lab), [ids[3]]);
});

test('retention-keeps-bases: an unfinished upload builds on it', async (t) => {
  const lab = await openCloud(t);
  await lab.create('v');
  const ids = await chain(lab, new ModelImage(4), 'fif');
  const journalPath = join(lab.directory, 'upload.journal');
  const repositoryId = lab.domain.repository.id;
  const parent = { cloudsnapId: ids[1] ?? '', manifestSha256: '0'.repeat(64) };
  const shape = { keyId: '', blockBytes: 4096, blockCount: 4 };
  const head = { cloudsnapId: `${ids[2]}-incr`, repositoryId, parent, ...shape };
  const attempt = { createdMs: 1, beganMs: Date.now() };
  const journal = UploadJournal.create(journalPath, silentLog, head, attempt);
  await journal.append(new Uint8Array(8), 1);
  await journal.close();
  lab.domain.volumes[0]!.journalPath = journalPath;
  const { actions, cloudsnaps } = await prune(lab, { rules: { last: 1 }, dryRun: true });
  t.is(actions, 'keep keep keep');
  t.deepEqual(cloudsnaps[1]?.reasons, [`the unfinished ${ids[2]}-incr builds on it`]);
  await journal.remove();
  t.is((await prune(lab, { rules: { last: 1 } })).actions, 'remove remove keep');
});

test('what a backup has come to need since the plan is kept when its turn comes', async (t) => {
  const lab = await openCloud(t);
  const image = new ModelImage(4);
  const ids = await chain(lab, image, 'fff');
  const { volumeId } = (await lab.call('listCloudsnaps', {}))[0]!;
  // Its volume is here, so that a backup holds up the deletions of its chain.
  await lab.create('v');
  Object.assign(lab.domain.volumes[0]!, { id: volumeId });
  const { id } = await lab.call('backup', { volume: 'v' });
  const backup = await lab.domain.backups.next();
  const { task } = await lab.call('pruneCloudsnaps', { source: 'v', rules: { last: 1 } });
  await lab.call('restore', { cloudsnap: ids[1]!, name: 'lazy', lazy: true, hydrate: false });
  backup.finish();
  await lab.ended(id);
  t.like(await lab.ended(task?.id ?? ''), { state: 'Done', result: { removed: 1, failed: 0 } });
  t.deepEqual(await visible(lab), [ids[1], ids[2]]);
});

test('a prune that is stopped ends after the deletion that it waits for', async (t) => {
  const lab = await openCloud(t);
  const ids = await chain(lab, new ModelImage(4), 'fff');
  lab.domain.cloud.faults = ({ verb, key }) => ({
    kind: verb === 'put' && key.includes('0000000002.') ? 'hang' : 'none',
  });
  const { task } = await lab.call('pruneCloudsnaps', { allVolumes: true, rules: { last: 1 } });
  t.is((await lab.call('stopTask', { task: task?.id ?? '' })).state, 'Stopped');
  t.deepEqual(await visible(lab), ids);
});

test('labels protect, and every reason is given', async (t) => {
  const lab = await openCloud(t);
  const ids = await chain(lab, new ModelImage(4), 'ff');
  const rules = { withinDays: 1 };
  const gold = await prune(lab, { rules: { last: 1 }, keepLabels: { tier: 'gold' } });
  t.is(gold.actions, 'keep keep');
  const dry = await prune(lab, { rules, dryRun: true });
  t.deepEqual(dry.cloudsnaps[1]?.reasons, ['within 1 day', 'newest intact one of the volume']);
  t.deepEqual(await visible(lab), ids);
});

test('without a rule or a volume, and for what is not there, prune is refused', async (t) => {
  const lab = await openCloud(t);
  await chain(lab, new ModelImage(4), 'f');
  await chain(lab, new ModelImage(4), 'f');
  const refused = (input: Input, code: string, message: RegExp) =>
    t.throwsAsync(lab.call('pruneCloudsnaps', input), { code, message });
  const rules = { last: 1 };
  await refused({ allVolumes: true, rules: {} }, 'retention/bad-rules', /nothing says/);
  await refused({ rules }, 'retention/bad-scope', /either one volume or all/);
  await refused({ source: 'v', allVolumes: true, rules }, 'retention/bad-scope', /either/);
  await refused({ source: 'v', rules }, 'cloudsnap/not-found', /no cloudsnap of volume v/);
  await refused({ source: 'database', rules }, 'retention/bad-scope', /2 volumes that are gone/);
  const cluster = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  const elsewhere = { allVolumes: true, cluster, rules };
  await refused(elsewhere, 'cloudsnap/not-found', /no cloudsnap of cluster/);
  await lab.create('empty');
  t.is((await prune(lab, { source: 'empty', rules })).actions, '');
});

test('other clusters are pruned only when they are named', async (t) => {
  const lab = await openCloud(t);
  const { cloud } = lab.domain;
  const theirs = new ModelImage(4);
  for (let round = 0; round < 2; round++) await cloud.backUp(theirs, null);
  t.is((await prune(lab, { rules: { last: 1 } })).actions, '');
  const cluster = cloud.clusterId;
  const input = { allVolumes: true, cluster, rules: { last: 1 } };
  const { cloudsnaps, task } = await lab.call('pruneCloudsnaps', input);
  t.deepEqual(
    cloudsnaps.map(({ action }) => action),
    ['remove', 'keep'],
  );
  // The other host gives no sign of life for as long as its lease lasts.
  await cloud.clock.untilSleeping();
  await cloud.clock.advance(DAY);
  t.like(await lab.ended(task?.id ?? ''), { state: 'Done' });
  t.is((await prune(lab, { cluster, source: theirs.id, rules: { last: 1 } })).actions, 'keep');
});
