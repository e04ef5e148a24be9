import { statSync } from 'node:fs';
import { join } from 'node:path';

import test from 'ava';

import { systemClock } from '../../src/base/clock.ts';
import { CloudvolError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Api } from '../../src/control/schemas.ts';
import { startAgent } from '../../src/daemon/start-agent.ts';
import { openLab } from './agent-lab.ts';
import { FakeDomain } from './fake-domain.ts';

const GIB = 2 ** 30;
const SNAP = '540bccfe-8d5d-412a-b3f7-bd83e3e8fd3b/8135434010390215655-196788017';

test('the first start makes a cluster id and a credential, later ones keep them', async (t) => {
  const lab = await openLab(t);
  const { clusterId } = await lab.call('inspectAgent', {});
  const [credential] = await lab.call('listCredentials', {});
  t.like(credential, {
    name: 'default',
    provider: 'directory',
    path: join(lab.directory, 'state/objectstore'),
  });
  await lab.stop();
  await lab.start();
  t.is((await lab.call('inspectAgent', {})).clusterId, clusterId);
  t.is((await lab.call('listCredentials', {})).length, 1);
  await lab.call('deleteCredential', { credential: 'default' });
  await lab.stop();
  await lab.start();
  t.deepEqual(await lab.call('listCredentials', {}), []);
});

test('state is for the agent alone', async (t) => {
  const lab = await openLab(t);
  t.is(statSync(lab.config.stateDir).mode & 0o777, 0o700);
  t.is(statSync(lab.config.runtimeDir).mode & 0o777, 0o750);
});

test('a second agent on the same state or runtime directory is refused', async (t) => {
  const lab = await openLab(t);
  const second = { domain: new FakeDomain(), clock: systemClock, log: silentLog };
  const { config } = lab;
  const elsewhere = join(lab.directory, 'elsewhere');
  for (const other of [
    { ...config, stateDir: elsewhere },
    { ...config, runtimeDir: elsewhere, socketPath: `${elsewhere}/s` },
  ]) {
    await t.throwsAsync(startAgent({ ...second, config: other }), {
      code: 'agent/already-running',
    });
  }
  t.deepEqual(await lab.call('listVolumes', {}), []);
});

test('volumes are found by name and id, and the names that cannot be are refused', async (t) => {
  const lab = await openLab(t);
  const { id } = await lab.create('b', { app: 'db' });
  await lab.create('a');
  t.deepEqual(
    (await lab.call('listVolumes', {})).map(({ name }) => name),
    ['a', 'b'],
  );
  t.like(await lab.call('inspectVolume', { volume: id }), {
    name: 'b',
    labels: { app: 'db' },
    blockBytes: 65536,
  });
  await t.throwsAsync(lab.create('a'), { code: 'volume/exists' });
  for (const name of ['../x', 'x'.repeat(300), 'a\0b', '-rf', 'a\u001b[2J', '']) {
    await t.throwsAsync(lab.create(name), { code: 'volume/bad-name' });
  }
  const odd = { name: 'odd', sizeBytes: GIB + 1 };
  await t.throwsAsync(lab.call('createVolume', odd), {
    code: 'volume/bad-size',
    message: /not a multiple/,
  });
});

test('of two calls that make the same name at the same time, one succeeds', async (t) => {
  const lab = await openLab(t);
  const both = await Promise.allSettled([lab.create('same'), lab.create('same')]);
  t.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  t.is(lab.domain.volumes.length, 1);
});

test('a backup returns its task at once; its volume is not deleted under it', async (t) => {
  const lab = await openLab(t);
  await lab.create('v');
  const { id, state } = await lab.call('backup', { volume: 'v' });
  t.is(state, 'Active');
  const backup = await lab.domain.backups.next();
  backup.task.progress({ bytesTotal: 100, bytesDone: 50, cloudsnapId: SNAP });
  t.like(await lab.call('inspectTask', { task: id }), {
    bytesDone: 50,
    cloudsnapId: SNAP,
    ended: null,
  });
  await t.throwsAsync(lab.call('deleteVolume', { volume: 'v' }), { code: 'volume/in-use' });
  await t.throwsAsync(lab.call('deleteCredential', { credential: 'default' }), {
    code: 'credential/in-use',
  });
  backup.finish();
  t.is((await lab.ended(id)).state, 'Done');
  await lab.call('deleteVolume', { volume: 'v' });
});

test('backups of one volume queue, and the seventh is refused', async (t) => {
  const lab = await openLab(t);
  await lab.create('v');
  const states: string[] = [];
  for (let n = 0; n < 6; n++) states.push((await lab.call('backup', { volume: 'v' })).state);
  t.deepEqual(states, ['Active', 'Queued', 'Queued', 'Queued', 'Queued', 'Queued']);
  await t.throwsAsync(lab.call('backup', { volume: 'v' }), { code: 'task/queue-full' });
});

test('an eager restore gives a volume that cannot be used before it is whole', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const { volume, task, hydrateTask } = await lab.call('restore', { cloudsnap: SNAP });
  t.like(volume, {
    status: 'restoring',
    sizeBytes: 1 << 20,
    fileSystem: 'ext4',
    labels: { app: 'db' },
  });
  t.regex(volume.name, /^Restore-\d+-1$/);
  t.is(hydrateTask, null);
  const refused = { code: 'volume/restoring' };
  await t.throwsAsync(lab.call('attachVolume', { volume: volume.id }), refused);
  await t.throwsAsync(lab.call('mountVolume', { volume: volume.id, path: '/mnt' }), refused);
  await t.throwsAsync(lab.call('backup', { volume: volume.id }), refused);
  await t.throwsAsync(lab.call('deleteVolume', { volume: volume.id }), { code: 'volume/in-use' });
  (await lab.domain.hydrations.next()).finish();
  t.is((await lab.ended(task.id)).state, 'Done');
  t.is((await lab.call('attachVolume', { volume: volume.id })).status, 'attached');
});

test('an eager restore that fails or is stopped takes its volume with it', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const failed = await lab.call('restore', { cloudsnap: SNAP });
  (await lab.domain.hydrations.next()).fail(
    new CloudvolError('cloudsnap/corrupt', 'pack 7 is damaged'),
  );
  t.like(await lab.ended(failed.task.id), { state: 'Failed', info: ['pack 7 is damaged'] });
  const stopped = await lab.call('restore', { cloudsnap: SNAP });
  await lab.domain.hydrations.next();
  t.is((await lab.call('stopTask', { task: stopped.task.id })).state, 'Stopped');
  t.deepEqual(await lab.call('listVolumes', {}), []);
});

test('a lazy restore is done at once and fills itself in the background', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const { volume, task, hydrateTask } = await lab.call('restore', {
    cloudsnap: SNAP,
    name: 'lazy',
    lazy: true,
  });
  t.is((await lab.ended(task.id)).state, 'Done');
  t.is((await lab.call('attachVolume', { volume: 'lazy' })).absentBlocks, volume.blockCount);
  (await lab.domain.hydrations.next()).finish();
  t.is((await lab.ended(hydrateTask?.id ?? '')).state, 'Done');
  t.is((await lab.call('inspectVolume', { volume: 'lazy' })).absentBlocks, 0);
});

test('what a lazy volume still needs is not taken away from it', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const input = { cloudsnap: SNAP, name: 'lazy', lazy: true, hydrate: false };
  t.is((await lab.call('restore', input)).hydrateTask, null);
  await t.throwsAsync(lab.call('deleteCloudsnap', { cloudsnap: SNAP }), {
    code: 'cloudsnap/in-use',
  });
  await t.throwsAsync(lab.call('deleteCredential', { credential: 'default' }), {
    code: 'credential/in-use',
  });
  await lab.call('deleteVolume', { volume: 'lazy' });
  t.is(
    (await lab.ended((await lab.call('deleteCloudsnap', { cloudsnap: SNAP })).id)).state,
    'Done',
  );
  t.deepEqual(await lab.call('listCloudsnaps', {}), []);
});

test('a volume that fills itself can be deleted: the filling ends first', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const { hydrateTask } = await lab.call('restore', { cloudsnap: SNAP, name: 'lazy', lazy: true });
  const hydration = await lab.domain.hydrations.next();
  await lab.call('deleteVolume', { volume: 'lazy' });
  t.true(hydration.task.signal.aborted);
  t.is((await lab.ended(hydrateTask?.id ?? '')).state, 'Stopped');
});

test('after a restart hydration goes on, and only where it is wanted', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  await lab.call('restore', { cloudsnap: SNAP, name: 'wanted', lazy: true });
  await lab.call('restore', { cloudsnap: SNAP, name: 'unwanted', lazy: true, hydrate: false });
  await lab.domain.hydrations.next();
  await lab.stop();
  await lab.start();
  await lab.domain.hydrations.next();
  const tasks = await lab.call('listTasks', {});
  const hydrations = tasks.filter(({ kind }) => kind === 'Hydrate');
  t.deepEqual(
    hydrations.map(({ volumeName, state }) => [volumeName, state]),
    [
      ['wanted', 'Aborted'],
      ['wanted', 'Active'],
    ],
  );
});

test('hydration is paused and resumed, also over a restart, with its limits', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const input = { cloudsnap: SNAP, name: 'lazy', lazy: true, rateBytesPerSecond: 1000 };
  const { hydrateTask } = await lab.call('restore', input);
  await lab.domain.hydrations.next();
  const change = { volume: 'lazy', active: false, absentTimeoutSeconds: 30 };
  const paused = await lab.call('hydrateVolume', change);
  t.like(paused.hydration, { active: false, rateBytesPerSecond: 1000, absentTimeoutSeconds: 30 });
  const ended = await lab.ended(hydrateTask?.id ?? '');
  t.is(ended.state, 'Paused');
  t.regex(ended.info.join(), /cloudvol volume hydrate lazy --resume/);
  await lab.stop();
  await lab.start();
  const hydrations = async () =>
    (await lab.call('listTasks', {})).filter(({ kind }) => kind === 'Hydrate');
  t.is((await hydrations()).length, 1, 'a restart does not resume what was paused');
  const resumed = await lab.call('hydrateVolume', {
    volume: 'lazy',
    active: true,
    rateBytesPerSecond: 0,
  });
  t.like(resumed.hydration, { active: true, rateBytesPerSecond: null, absentTimeoutSeconds: 30 });
  await lab.call('hydrateVolume', { volume: 'lazy', active: true });
  t.is((await hydrations()).length, 2, 'what goes on is not begun twice');
  (await lab.domain.hydrations.next()).finish();
  t.is((await lab.ended((await hydrations()).at(-1)?.id ?? '')).state, 'Done');
  t.is((await lab.call('hydrateVolume', { volume: 'lazy' })).hydration, null);
  await t.throwsAsync(lab.call('hydrateVolume', { volume: 'lazy', active: false }), {
    code: 'volume/hydrated',
  });
});

test('a shutdown ends an eager restore as Aborted, and its half volume is gone', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const { task } = await lab.call('restore', { cloudsnap: SNAP });
  await lab.domain.hydrations.next();
  await lab.stop();
  t.deepEqual(lab.domain.volumes, []);
  await lab.start();
  t.is((await lab.call('inspectTask', { task: task.id })).state, 'Aborted');
});

test('who waits for a task is answered when the agent shuts down', async (t) => {
  const lab = await openLab(t);
  await lab.create('v');
  const { id } = await lab.call('backup', { volume: 'v' });
  await lab.domain.backups.next();
  const [answer] = await Promise.all([
    lab.ended(id),
    lab.call('listVolumes', {}).then(() => lab.stop()),
  ]);
  t.is(answer.id, id);
});

test('a cloudsnap that others need is refused with their list', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, [`${SNAP}-incr`]).set(`${SNAP}-incr`, []);
  const error = await t.throwsAsync<CloudvolError>(
    lab.call('deleteCloudsnap', { cloudsnap: SNAP }),
    {
      code: 'cloudsnap/has-dependants',
    },
  );
  t.deepEqual(error?.details, { dependants: [`${SNAP}-incr`] });
});

test('cloudsnaps are listed by source, cluster, labels and state', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set('c/1-1', []).set('c/1-2-incr', []);
  const ids = async (input: Api['listCloudsnaps']['input']) =>
    (await lab.call('listCloudsnaps', input)).map(({ id }) => id);
  const all = ['c/1-1', 'c/1-2-incr'];
  t.deepEqual(await ids({}), all);
  t.deepEqual(await ids({ source: 'source' }), all);
  t.deepEqual(await ids({ source: 'other' }), []);
  t.deepEqual(await ids({ cloudsnap: 'c/1-1' }), ['c/1-1']);
  t.deepEqual(await ids({ max: 1 }), ['c/1-2-incr']);
  const pages = [await lab.call('listCloudsnaps', { max: 1, after: '' })];
  for (let last = pages[0]?.[0]; last; last = pages.at(-1)?.[0]) {
    const after = `${last.created ?? ''} ${last.id}`;
    pages.push(await lab.call('listCloudsnaps', { max: 1, after }));
  }
  t.deepEqual(
    pages.map((page) => page.map(({ id }) => id)),
    [['c/1-1'], ['c/1-2-incr'], []],
  );
  t.deepEqual(await ids({ labels: { app: 'db' } }), all);
  t.deepEqual(await ids({ labels: { app: 'web' } }), []);
  t.deepEqual(await ids({ cluster: 'nobody' }), []);
  t.deepEqual(await ids({ deletedSource: true }), all);
  await lab.create('v');
  const { id } = await lab.call('backup', { volume: 'v' });
  (await lab.domain.backups.next()).fail(new CloudvolError('store/full', 'full'));
  await lab.ended(id);
  const [failed] = await lab.call('listCloudsnaps', { status: 'failed' });
  t.like(failed, { taskId: id, volumeName: 'v', status: 'Failed' });
});

test('several credentials have to be chosen from', async (t) => {
  const lab = await openLab(t);
  await lab.create('v');
  await lab.call('createCredential', {
    name: 'second',
    provider: 'directory',
    path: '/srv/second',
  });
  await t.throwsAsync(lab.call('backup', { volume: 'v' }), {
    code: 'credential/ambiguous',
    message: /default, second/,
  });
  t.is((await lab.call('backup', { volume: 'v', credential: 'second' })).state, 'Active');
});

test('another node than this is refused', async (t) => {
  const lab = await openLab(t);
  const input = { cloudsnap: SNAP, node: 'elsewhere.example' };
  await t.throwsAsync(lab.call('restore', input), { code: 'agent/no-such-node' });
});
