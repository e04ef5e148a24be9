import { join } from 'node:path';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { TestAgent } from '../support/agent.ts';

const mountingTest = requires('root', 'fuse', 'mkfs.ext4');

mountingTest('a cloudsnap of a mounted volume holds what nobody has synced yet', async (t) => {
  const agent = await TestAgent.start(t);
  const run = (command: string, ...args: string[]) => runCommand(agent.reaper, command, args);
  const [source, copy] = ['source', 'copy'].map((name) => join(agent.directory, name));
  await run('mkdir', source ?? '', copy ?? '');
  await agent.client.call('createVolume', { name: 'db', sizeBytes: 64 << 20, fileSystem: 'ext4' });
  await agent.client.call('mountVolume', { volume: 'db', path: source ?? '' });
  await run('dd', 'if=/dev/urandom', `of=${source}/fresh`, 'bs=64k', 'count=16', 'status=none');
  const { cloudsnapId } = await agent.backup('db');
  await agent.restore(cloudsnapId, 'restored');
  await agent.client.call('mountVolume', { volume: 'restored', path: copy ?? '' });
  await run('cmp', `${source}/fresh`, `${copy}/fresh`);
  await agent.client.call('unmountVolume', { volume: 'restored' });
  await agent.client.call('unmountVolume', { volume: 'db' });
  t.pass();
});
