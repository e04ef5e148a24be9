import { S3Store } from '../../src/store/s3.ts';
import type { S3Target } from '../../src/store/store-target.ts';
import { TestAgent } from '../support/agent.ts';
import { requires } from '../support/requires.ts';
import { startAzurite } from '../support/servers/azurite.ts';
import { startFakeGcs } from '../support/servers/fake-gcs.ts';
import { startRgw } from '../support/servers/rgw.ts';
import { startSwift } from '../support/servers/swift.ts';
import { circle, login, said, secretFile } from './cloud-circle.ts';
import { filesWith } from './secret-canary.ts';

const LOGIN = 'c4n4ry-of-the-secret-store';
const PASSPHRASE = 'c4n4ry-of-the-cloudsnaps';

requires(
  'root',
  'fuse',
  'radosgw',
)('S3: an encrypted default bucket, from its creation to another login', async (t) => {
  const server = await startRgw();
  t.teardown(() => server.stop());
  const agent = await TestAgent.start(t);
  const at = `--s3-access-key ${server.accessKey} --s3-endpoint ${server.endpoint}`;
  const s3 = (...args: string[]) =>
    `credentials create --provider s3 ${at} --s3-disable-ssl`.split(' ').concat(args);
  const key = ['--s3-secret-key', secretFile(agent, 'key', server.secretKey)];
  const right = ['--enc', secretFile(agent, 'right', PASSPHRASE)];
  const wrong = ['--enc', secretFile(agent, 'wrong', 'c4n4ry-another')];
  const list = ['cloudsnap', 'list', '--cred-id', 'cloud'];

  t.regex(said(t, await agent.cli(...s3(...key, 'cloud')), 77), /locked\nhint: .* kvdb login/);
  await login(t, agent, LOGIN);
  said(t, await agent.cli(...s3(...key, ...right, 'cloud')));
  const validated = said(t, await agent.cli('credentials', 'validate', 'cloud'));
  t.regex(validated, /^write +ok .*\n[^]*^cloudsnaps +ok .*\nCredential validated successfully$/m);
  const cloudsnap = await circle(t, agent, 'cloud');
  const table = said(t, await agent.cli('credentials', 'list'));
  t.regex(table, /^S3 Credentials\nUUID .*\n\S+ +cloud +<nil> .* false +true +<nil> +\d+$/m);

  // The default bucket is named by the cluster id.
  const { clusterId } = await agent.client.call('inspectAgent', {});
  const before = await keysOf(server.target(clusterId));
  const refused = said(t, await agent.cli(...s3(...key, ...wrong, 'other')), 77);
  t.regex(refused, /passphrase does not open/);
  t.regex(said(t, await agent.cli(...s3(...key, 'other')), 77), /is encrypted/);
  t.deepEqual(await keysOf(server.target(clusterId)), before);

  // One that is made beforehand is not made by us.
  const made = s3(...key, '--bucket', 'made-beforehand', 'made');
  said(t, await agent.cli(...made), 3);
  await keysOf(server.target('made-beforehand'));
  said(t, await agent.cli(...made));
  t.regex(said(t, await agent.cli('credentials', 'list')), / made .* made-beforehand /);
  const badKey = ['--s3-secret-key', secretFile(agent, 'bad', 'c4n4ry-of-nobody')];
  said(t, await agent.cli(...s3(...badKey, 'bad')), 77);

  await agent.kill();
  await agent.startAgain();
  t.regex(said(t, await agent.cli(...list), 77), /locked\nhint: .* kvdb login/);
  said(t, await agent.cli('credentials', 'list'));
  said(t, await agent.cli('cloudsnap', 'list', '--cred-id', 'default'));
  said(t, await agent.cliWith('not it', 'secrets', 'kvdb', 'login', '-'), 77);
  await login(t, agent, LOGIN);
  t.true(said(t, await agent.cli(...list)).includes(cloudsnap));
  t.deepEqual(filesWith(agent, [server.secretKey, LOGIN, 'c4n4ry']), []);
});

requires(
  'root',
  'fuse',
  'swift',
)('S3 without conditional puts: it is said, and a volume goes there and comes back', async (t) => {
  const server = await startSwift();
  t.teardown(() => server.stop());
  const agent = await TestAgent.start(t);
  await login(t, agent, LOGIN);
  const at = `--s3-access-key ${server.accessKey} --s3-endpoint ${server.endpoint}`;
  const create = `credentials create --provider s3 ${at} --s3-disable-ssl --enc - poor`.split(' ');
  const key = ['--s3-secret-key', secretFile(agent, 'key', server.secretKey)];
  said(t, await agent.cliWith(PASSPHRASE, ...create, ...key));
  const validated = said(t, await agent.cli('credentials', 'validate', 'poor'));
  t.regex(validated, /^conditional put +limited +.* back a volume up from one host$/m);
  t.regex(validated, /^found out +ok +it cannot put only what is absent: one host at a time /m);
  await circle(t, agent, 'poor');
});

requires(
  'root',
  'fuse',
  'azurite',
)('Azure: a volume goes into a default container, encrypted, and comes back', async (t) => {
  const server = await startAzurite();
  t.teardown(() => server.stop());
  const agent = await TestAgent.start(t);
  await login(t, agent, LOGIN);
  const account = `--azure-account-name ${server.accountName} --azure-endpoint ${server.endpoint}`;
  const create = `credentials create --provider azure ${account} --enc - cloud`.split(' ');
  const key = ['--azure-account-key', secretFile(agent, 'key', server.accountKey)];
  said(t, await agent.cliWith(PASSPHRASE, ...create, ...key));
  said(t, await agent.cli('credentials', 'validate', 'cloud'));
  await circle(t, agent, 'cloud');
  t.regex(
    said(t, await agent.cli('credentials', 'list')),
    /^Azure Credentials\nUUID .*\n\S+ +cloud +devstoreaccount1 +true +<nil> +\d+$/m,
  );
  t.deepEqual(filesWith(agent, [server.accountKey, LOGIN, PASSPHRASE]), []);
});

requires(
  'root',
  'fuse',
  'fake-gcs-server',
)('Google: a volume goes into a default bucket and comes back, without a login', async (t) => {
  const server = await startFakeGcs();
  t.teardown(() => server.stop());
  const agent = await TestAgent.start(t);
  const create = ['credentials', 'create', '--provider', 'google', '--google-project-id', 'test'];
  said(t, await agent.cli(...create, '--google-endpoint', server.endpoint, 'cloud'));
  said(t, await agent.cli('credentials', 'validate', 'cloud'));
  await circle(t, agent, 'cloud');
  t.regex(
    said(t, await agent.cli('credentials', 'list')),
    /^Google Credentials\nUUID .*\n\S+ +cloud +test +false +<nil> +\d+$/m,
  );
});

/** Keys in a bucket, which is made if it is not there. */
async function keysOf(target: S3Target): Promise<string[]> {
  const store = await S3Store.open(target);
  try {
    const keys = [];
    for await (const { key } of store.list('')) keys.push(key);
    return keys;
  } finally {
    await store.close();
  }
}
