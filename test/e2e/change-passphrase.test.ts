import { requires } from '../support/requires.ts';
import { TestAgent } from '../support/agent.ts';
import { startAzurite } from '../support/servers/azurite.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import { circle, login, said, secretFile } from './cloud-circle.ts';
import { filesWith } from './secret-canary.ts';

const LOGIN = 'c4n4ry-of-the-secret-store';
const FIRST = 'c4n4ry-of-the-cloudsnaps';
const isOfKeys = (url = '') => url.includes('/keys/');

requires(
  'root',
  'fuse',
  'azurite',
)('a passphrase is changed by rewrapping; killed on the way, the credential works', async (t) => {
  const server = await startAzurite();
  t.teardown(() => server.stop());
  const agent = await TestAgent.start(t);
  const seen: string[] = [];
  /** Of the requests to the keys object: at which one the agent is killed. */
  let killAt = 0;
  const proxy = await startFaultProxy(new URL(server.endpoint).host, ({ method, url }) => {
    if (method === 'PUT') seen.push(String(url).split('?')[0] ?? '');
    if (!isOfKeys(url) || killAt === 0 || --killAt > 0) return undefined;
    process.kill(agent.pid, 'SIGKILL');
    return 'reset';
  });
  t.teardown(() => proxy.stop());
  await login(t, agent, LOGIN);
  const endpoint = server.endpoint.replace(new URL(server.endpoint).host, proxy.endpoint);
  const account = `--azure-account-name ${server.accountName} --azure-endpoint ${endpoint}`;
  const key = ['--azure-account-key', secretFile(agent, 'key', server.accountKey)];
  const first = ['--enc', secretFile(agent, 'first', FIRST)];
  const create = `credentials create --provider azure ${account}`.split(' ');
  for (const name of ['cloud', 'twin']) said(t, await agent.cli(...create, ...key, ...first, name));
  const cloudsnap = await circle(t, agent, 'cloud');
  const isListed = async (credential: string) =>
    (await agent.client.call('listCloudsnaps', { credential })).some(({ id }) => id === cloudsnap);

  seen.length = 0;
  const change = ['credentials', 'change-passphrase', 'cloud', '--passphrase'];
  const changed = said(t, await agent.cliWith('c4n4ry-0\n', ...change, '-'));
  t.regex(changed, /^Credential cloud has .*\nCredential twin has .*\nPassphrase changed/m);
  t.true(seen.length === 2 && seen.every(isOfKeys), 'nothing but the keys object is written');
  t.true((await isListed('cloud')) && (await isListed('twin')));
  const refused = said(t, await agent.cli(...create, ...key, ...first, 'old'), 77);
  t.regex(refused, /does not open[^]*change-passphrase/);

  // When it is to write both slots, to look at them, and to write the one.
  for (const [index, request] of [2, 3, 5].entries()) {
    killAt = request;
    await t.throwsAsync(
      agent.client.call('changePassphrase', {
        credential: 'cloud',
        passphrase: `c4n4ry-killed-${index}`,
      }),
    );
    t.is(killAt, 0);
    await agent.kill();
    await agent.startAgain();
    await login(t, agent, LOGIN);
    t.true((await isListed('cloud')) && (await isListed('twin')), `killed at request ${request}`);
    const passphrase = `c4n4ry-${index + 1}`;
    const answer = await agent.client.call('changePassphrase', { credential: 'twin', passphrase });
    t.deepEqual([...answer.credentials].sort(), ['cloud', 'twin']);
    t.true((await isListed('cloud')) && (await isListed('twin')));
    await t.throwsAsync(
      agent.client.call('changePassphrase', {
        credential: 'cloud',
        passphrase: 'c4n4ry-x',
        oldPassphrase: `c4n4ry-killed-${index}`,
      }),
      { code: 'cloudsnap/wrong-passphrase' },
    );
  }
  t.deepEqual(filesWith(agent, ['c4n4ry']), []);
});
