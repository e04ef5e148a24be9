import test from 'ava';

import { openLab } from './agent-lab.ts';

const SNAP = '540bccfe-8d5d-412a-b3f7-bd83e3e8fd3b/8135434010390215655-196788017';

test('delete-refs drops schedules and tasks of a credential: it can be deleted then', async (t) => {
  const lab = await openLab(t);
  await lab.create('v');
  const { id } = await lab.call('backup', { volume: 'v' });
  await lab.domain.backups.next();
  await t.throwsAsync(lab.call('deleteCredential', { credential: 'default' }), {
    code: 'credential/in-use',
  });
  const schedule = await lab.call('createSchedule', {
    volume: 'v',
    credential: 'default',
    rules: [{ kind: 'Daily', at: '03:00' }],
  });
  const references = await lab.call('deleteCredentialReferences', { credential: 'default' });
  t.deepEqual(references, { deletedSchedules: [schedule.id], stoppedTasks: [id] });
  t.is((await lab.ended(id)).state, 'Stopped');
  await lab.call('deleteCredential', { credential: 'default' });
});

test('delete-refs does not cut a volume off from its blocks', async (t) => {
  const lab = await openLab(t);
  lab.domain.cloudsnaps.set(SNAP, []);
  const { volume } = await lab.call('restore', { cloudsnap: SNAP, lazy: true, hydrate: false });
  await t.throwsAsync(lab.call('deleteCredentialReferences', { credential: 'default' }), {
    code: 'credential/in-use',
    message: new RegExp(volume.name),
  });
});

test('secrets are needed by credentials that have some, from login to logout', async (t) => {
  const lab = await openLab(t);
  await lab.create('v');
  const input = { name: 's', provider: 's3', accessKey: 'A', secretKey: 'B' } as const;
  await t.throwsAsync(lab.call('createCredential', input), { code: 'secrets/locked' });
  t.deepEqual(await lab.call('inspectSecrets', {}), { hasPassphrase: false, unlocked: false });
  t.deepEqual(await lab.call('loginSecrets', { passphrase: 'x' }), { passphraseSet: true });
  const view = await lab.call('createCredential', input);
  t.like(view, { provider: 's3', accessKey: 'A', bucket: null, ssl: true, encrypted: false });
  await lab.call('listCloudsnaps', { credential: 's' });
  await lab.call('logoutSecrets', {});
  const locked = { code: 'secrets/locked' };
  await t.throwsAsync(lab.call('listCloudsnaps', { credential: 's' }), locked);
  await t.throwsAsync(lab.call('backup', { volume: 'v', credential: 's' }), locked);
  await t.throwsAsync(lab.call('validateCredential', { credential: 's' }), locked);
  t.is((await lab.call('listCredentials', {})).length, 2);
  await lab.call('listCloudsnaps', { credential: 'default' });
  await t.throwsAsync(lab.call('loginSecrets', { passphrase: 'y' }), {
    code: 'secrets/wrong-passphrase',
  });
  await lab.stop();
  await lab.start();
  await t.throwsAsync(lab.call('listCloudsnaps', { credential: 's' }), locked);
  t.deepEqual(await lab.call('loginSecrets', { passphrase: 'x' }), { passphraseSet: false });
  await lab.call('listCloudsnaps', { credential: 's' });
  await lab.call('deleteCredential', { credential: 's' });
});

test('validate checks a credential through and notes how fast its store is written', async (t) => {
  const lab = await openLab(t);
  const report = await lab.call('validateCredential', { credential: 'default' });
  t.true(report.valid);
  t.is(report.checks[0]?.name, 'connect');
  t.is(report.checks.at(-1)?.name, 'cloudsnaps');
  const [credential] = await lab.call('listCredentials', {});
  t.is(credential?.writeBytesPerSecond, report.writeBytesPerSecond);
});
