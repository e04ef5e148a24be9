import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

import { followTask } from '../../src/demo/follow-task.ts';
import { TestAgent } from '../support/agent.ts';
import { eventually } from '../support/eventually.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { startAzurite } from '../support/servers/azurite.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import { said, secretFile } from './cloud-circle.ts';

const LOGIN = 'a passphrase of the secret store';
const FILE_MIB = 8;

/** An agent with the credential `cloud`, whose store can be switched off. */
async function openCloud(t: ExecutionContext) {
  const cloud = { isAway: false };
  const server = await startAzurite();
  t.teardown(() => server.stop());
  const { host } = new URL(server.endpoint);
  const proxy = await startFaultProxy(host, () => (cloud.isAway ? 'reset' : undefined));
  t.teardown(() => proxy.stop());
  const agent = await TestAgent.start(t);
  said(t, await agent.cliWith(LOGIN, 'secrets', 'kvdb', 'login', '-'));
  const endpoint = server.endpoint.replace(host, proxy.endpoint);
  const account = `--azure-account-name ${server.accountName} --azure-endpoint ${endpoint}`;
  const key = ['--azure-account-key', secretFile(agent, 'key', server.accountKey)];
  const create = `credentials create --provider azure ${account}`.split(' ');
  said(t, await agent.cli(...create, ...key, 'cloud'));
  return { agent, cloud };
}

requires(
  'root',
  'fuse',
  'loop',
  'losetup',
  'mkfs.ext4',
  'azurite',
)('a store that goes away under ext4 holds up readers of absent blocks only', async (t) => {
  const { agent, cloud } = await openCloud(t);
  const run = (command: string, ...args: string[]) => runCommand(agent.reaper, command, args);
  const [origin, lazy] = [join(agent.directory, 'origin'), join(agent.directory, 'lazy')];
  for (const directory of [origin, lazy]) mkdirSync(directory);
  said(t, await agent.cli('volume', 'create', 'origin', '--size', '64M'));
  said(t, await agent.cli('volume', 'mount', 'origin', '--path', origin));
  await run('dd', 'if=/dev/urandom', `of=${origin}/big`, 'bs=1M', `count=${FILE_MIB}`);
  const backup = await agent.client.call('backup', { volume: 'origin', credential: 'cloud' });
  const { cloudsnapId } = await followTask(agent.client, backup.id);
  const restore = ['cloudsnap', 'restore', '--snap', cloudsnapId, '--cred-id', 'cloud'];
  const lazily = ['--volume', 'lazy', '--lazy', '--no-hydrate', '--mount', lazy];
  said(t, await agent.cli(...restore, ...lazily));
  await run('ls', lazy);

  cloud.isAway = true;
  // What is written anew needs nobody.
  await run('dd', 'if=/dev/urandom', `of=${lazy}/new`, 'bs=1M', 'count=2', 'conv=fsync');
  let isRead = false;
  const compared = run('cmp', `${origin}/big`, `${lazy}/big`).then(() => (isRead = true));
  const waiting = await eventually('a reader waits', async () => {
    const { hydration } = await agent.inspect('lazy');
    return hydration?.outage && hydration.waitingReaders > 0 ? hydration : undefined;
  });
  t.not(waiting.outage, null);
  const status = said(t, await agent.cli('status'));
  t.regex(status, /^Waiting: volume lazy: \d+ readers?, for .*: ./m);
  await run('cat', `${lazy}/new`);
  t.false(isRead);

  // One that hydrates waits with them, over a change of its limits.
  said(t, await agent.cli('volume', 'hydrate', 'lazy', '--resume', '--rate', '64M'));
  cloud.isAway = false;
  await compared;
  await eventually('the volume is whole', async () => {
    return (await agent.inspect('lazy')).backing === null || undefined;
  });
  t.regex(said(t, await agent.cli('volume', 'hydrate', 'lazy')), /needs the cloud no more/);
  await run('cmp', `${origin}/big`, `${lazy}/big`);
  for (const volume of ['origin', 'lazy']) said(t, await agent.cli('volume', 'unmount', volume));
});

requires(
  'root',
  'fuse',
  'azurite',
)('after --absent-timeout a read is an I/O error; it works when the store is back', async (t) => {
  const { agent, cloud } = await openCloud(t);
  const origin = await agent.createAttached('origin', 16 << 20);
  await runCommand(agent.reaper, 'dd', [
    'if=/dev/urandom',
    `of=${origin}`,
    'bs=1M',
    'count=16',
    'conv=notrunc',
  ]);
  const backup = await agent.client.call('backup', { volume: 'origin', credential: 'cloud' });
  const { cloudsnapId } = await followTask(agent.client, backup.id);
  const restore = ['cloudsnap', 'restore', '--snap', cloudsnapId, '--cred-id', 'cloud'];
  const lazily = ['--volume', 'lazy', '--lazy', '--no-hydrate', '--absent-timeout', '1'];
  said(t, await agent.cli(...restore, ...lazily));
  const lazy = await agent.attach('lazy');
  cloud.isAway = true;
  const read = () => runCommand(agent.reaper, 'cmp', [origin, lazy]);
  await t.throwsAsync(read(), { message: /Input\/output error/ });
  t.regex(agent.log(), /volume\/absent-timeout/);
  cloud.isAway = false;
  await read();
});
