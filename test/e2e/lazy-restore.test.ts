import { followTask } from '../../src/demo/follow-task.ts';
import { TestAgent } from '../support/agent.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';

const MIB = 1 << 20;
const SIZE_MIB = 128;
const hostTest = requires('root', 'fuse');

/** A volume of random bytes with a cloudsnap of it. */
async function backedUp(agent: TestAgent): Promise<{ file: string; cloudsnap: string }> {
  const file = await agent.createAttached('origin', SIZE_MIB * MIB);
  await dd(agent, 'if=/dev/urandom', `of=${file}`, `count=${SIZE_MIB}`);
  return { file, cloudsnap: (await agent.backup('origin')).cloudsnapId };
}

function dd(agent: TestAgent, ...operands: string[]): Promise<string> {
  return runCommand(agent.reaper, 'dd', ['bs=1M', 'conv=notrunc', 'status=none', ...operands]);
}

hostTest('a lazy restore that is not hydrated fetches exactly what is read', async (t) => {
  const agent = await TestAgent.start(t);
  const { file, cloudsnap } = await backedUp(agent);
  const input = { cloudsnap, name: 'lazy', lazy: true, hydrate: false };
  const { task, hydrateTask } = await agent.client.call('restore', input);
  t.is(hydrateTask, null);
  await followTask(agent.client, task.id);
  const lazy = await agent.attach('lazy');
  const { blockCount, absentBlocks } = await agent.inspect('lazy');
  t.is(absentBlocks, blockCount);
  await runCommand(agent.reaper, 'cmp', [
    '--bytes',
    `${8 * MIB}`,
    '--ignore-initial',
    `${64 * MIB}`,
    file,
    lazy,
  ]);
  const afterRead = (await agent.inspect('lazy')).absentBlocks;
  t.true(
    afterRead < absentBlocks && afterRead > blockCount / 2,
    `${afterRead} of ${blockCount} absent`,
  );
  await runCommand(agent.reaper, 'cmp', [file, lazy]);
});

hostTest('writes to a lazy restore stay while it hydrates', async (t) => {
  const agent = await TestAgent.start(t);
  const { file, cloudsnap } = await backedUp(agent);
  const { hydrateTask } = await agent.client.call('restore', {
    cloudsnap,
    name: 'lazy',
    lazy: true,
  });
  const lazy = await agent.attach('lazy');
  // The same writes to both, partial blocks among them: the volumes have to stay equal.
  for (const [index, seek] of [100, 3, 77, 120, 50].entries()) {
    const patch = `${agent.directory}/patch-${index}`;
    await runCommand(agent.reaper, 'dd', [
      'if=/dev/urandom',
      `of=${patch}`,
      'bs=100001',
      'count=7',
    ]);
    for (const target of [file, lazy]) {
      await dd(agent, `if=${patch}`, `of=${target}`, `seek=${seek}`, 'bs=1M', 'oflag=sync');
    }
  }
  t.not(hydrateTask, null);
  if (hydrateTask) await followTask(agent.client, hydrateTask.id);
  t.is((await agent.inspect('lazy')).absentBlocks, 0);
  t.is((await agent.inspect('lazy')).backing, null);
  await runCommand(agent.reaper, 'cmp', [file, lazy]);
});

hostTest('hydration goes on after the agent was killed, and brings the right bytes', async (t) => {
  const agent = await TestAgent.start(t);
  const { cloudsnap } = await backedUp(agent);
  await agent.client.call('restore', { cloudsnap, name: 'lazy', lazy: true });
  await agent.kill();
  await agent.startAgain();
  const hydration = (await agent.client.call('listTasks', { volume: 'lazy' }))
    .filter(({ kind }) => kind === 'Hydrate')
    .at(-1);
  t.not(hydration, undefined);
  if (hydration && hydration.state !== 'Done') await followTask(agent.client, hydration.id);
  t.is((await agent.inspect('lazy')).absentBlocks, 0);
  const [origin, lazy] = [await agent.attach('origin'), await agent.attach('lazy')];
  await runCommand(agent.reaper, 'cmp', [origin, lazy]);
});

hostTest('a cloudsnap of a half-hydrated volume holds every byte', async (t) => {
  const agent = await TestAgent.start(t);
  const { file, cloudsnap } = await backedUp(agent);
  await agent.client.call('restore', { cloudsnap, name: 'lazy', lazy: true, hydrate: false });
  const lazy = await agent.attach('lazy');
  for (const target of [file, lazy])
    await dd(agent, 'if=/dev/zero', `of=${target}`, 'count=3', 'seek=9');
  await runCommand(agent.reaper, 'cmp', ['--bytes', `${20 * MIB}`, file, lazy]);
  const taken = await agent.backup('lazy');
  await agent.restore(taken.cloudsnapId, 'again');
  await runCommand(agent.reaper, 'cmp', [file, await agent.attach('again')]);
  t.pass();
});
