import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { TestAgent } from '../support/agent.ts';

requires('root', 'fuse')('an agent whose volume is in use ends all the same', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('v', 16 << 20);
  await runCommand(agent.reaper, 'dd', [
    'if=/dev/urandom',
    `of=${file}`,
    'bs=64k',
    'count=4',
    'conv=notrunc',
  ]);
  const before = await runCommand(agent.reaper, 'sha256sum', [file]);
  const holder = spawn('sh', ['-c', 'exec 3<"$1"; echo; read line', 'sh', file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await agent.reaper.pid(holder);
  await once(holder.stdout, 'data');
  const { dirtyBlocks } = await agent.inspect('v');
  t.true(dirtyBlocks >= 4);
  await agent.stop();
  t.regex(agent.log(), /"volume\.not-closed".*is in use/);
  const exited = once(holder, 'exit');
  holder.stdin.end();
  await exited;
  await agent.startAgain();
  t.is((await agent.inspect('v')).dirtyBlocks, dirtyBlocks);
  t.is(await runCommand(agent.reaper, 'sha256sum', [file]), before);
  await agent.client.call('detachVolume', { volume: 'v' });
});
