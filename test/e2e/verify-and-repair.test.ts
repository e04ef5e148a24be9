import { readFileSync, unlinkSync, writeFileSync, globSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { VerificationView } from '../../src/control/schemas.ts';
import { TestAgent } from '../support/agent.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';

const MIB = 1 << 20;
const hostTest = requires('root', 'fuse');

async function fill(agent: TestAgent, file: string, seekMib: number): Promise<void> {
  const args = ['if=/dev/urandom', `of=${file}`, 'bs=1M', 'count=2', `seek=${seekMib}`];
  await runCommand(agent.reaper, 'dd', [...args, 'conv=notrunc,fsync', 'status=none']);
}

async function digest(agent: TestAgent, file: string): Promise<string> {
  return (await runCommand(agent.reaper, 'sha256sum', [file])).split(' ')[0] ?? '';
}

async function backUp(t: ExecutionContext, agent: TestAgent): Promise<string> {
  const task = await agent.backup('v');
  t.is(task.state, 'Done', task.info.join());
  return task.cloudsnapId;
}

/** Keys of the packs of a cloudsnap, and the one where the first of them lies. */
function firstPack(agent: TestAgent, cloudsnapId: string) {
  const store = join(agent.directory, 'state', 'objectstore');
  const [path = ''] = globSync(join(store, cloudsnapId, 'pack-*'));
  return { path, key: path.slice(store.length + 1) };
}

const verify = (agent: TestAgent, id: string, ...more: string[]) =>
  agent.cli('cloudsnap', 'verify', '--snap', id, '--wait', ...more);

hostTest(
  'a damaged pack is found by verify, named with whom it hurts, and repaired by the next backup',
  async (t) => {
    const agent = await TestAgent.start(t);
    const file = await agent.createAttached('v', 16 * MIB);
    await fill(agent, file, 0);
    const full = await backUp(t, agent);
    await fill(agent, file, 4);
    const incremental = await backUp(t, agent);
    const sound = await verify(agent, incremental);
    t.is(sound.code, 0, sound.stderr);
    t.regex(sound.stdout, /read 64 of 64 blocks .*\nNo damage found\n$/);

    const { path, key } = firstPack(agent, full);
    const body = readFileSync(path);
    body[body.length - 100]! ^= 1;
    writeFileSync(path, body);
    for (const id of [full, incremental]) {
      const damaged = await verify(agent, id);
      t.is(damaged.code, 65, damaged.stdout);
      t.regex(damaged.stdout, /pack .* is damaged: .*block 31; it hurts/);
      for (const hurt of [full, incremental]) t.true(damaged.stdout.includes(hurt));
      t.regex(damaged.stdout, /the next cloudsnap repairs what the volume still has/);
    }
    const { stdout } = await verify(agent, full, '--json');
    const report = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as VerificationView;
    t.like(report.damage[0], { kind: 'pack', object: key, owner: full, blockCount: 1 });
    t.deepEqual(report.damage[0]?.cloudsnaps, [full, incremental]);
    await t.throwsAsync(agent.restore(full, 'lost'), { message: /block 31/ });

    // What is known survives the agent.
    await agent.kill();
    await agent.startAgain();
    const listed = await agent.client.call('listCloudsnaps', {});
    t.deepEqual(
      listed.map(({ status, damagedObjects }) => [status, damagedObjects]),
      [
        ['Done', 1],
        ['Done', 1],
      ],
    );
    const again = await agent.attach('v');
    const content = await digest(agent, again);
    const repair = await agent.backup('v');
    t.true(repair.info.some((sentence) => /32 blocks that are damaged/.test(sentence)));
    const whole = await verify(agent, repair.cloudsnapId);
    t.is(whole.code, 0, whole.stdout);
    t.is((await agent.restore(repair.cloudsnapId, 'back')).state, 'Done');
    t.is(await digest(agent, await agent.attach('back')), content);
    t.is((await verify(agent, full)).code, 65, 'what was damaged stays so');
    const all = await agent.cli('cloudsnap', 'verify', '--src', 'v', '--wait');
    t.is(all.code, 65);
    t.is(all.stdout.match(/No damage found/g)?.length, 1);
  },
);

hostTest('damage that a restore meets is repaired without a verification', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('v', 16 * MIB);
  await fill(agent, file, 0);
  const full = await backUp(t, agent);
  unlinkSync(firstPack(agent, full).path);
  await t.throwsAsync(agent.restore(full, 'lost'), { message: /is damaged in .*pack-/ });
  const repaired = await backUp(t, agent);
  t.true(repaired.endsWith('-incr'));
  t.is((await verify(agent, repaired)).code, 0);
  const sample = await verify(agent, repaired, '--percent', '10', '--seed', '7');
  t.regex(sample.stdout, /sample 7\)/);
  const history = await agent.client.call('listTasks', { history: true });
  t.is(history.filter(({ kind }) => kind === 'Verify').length, 2);
  t.is((await agent.cli('cloudsnap', 'verify', '--snap', 'c/1-1')).code, 3);
  t.is((await agent.cli('cloudsnap', 'verify')).code, 2);
  t.is((await verify(agent, repaired, '--percent', '101')).code, 2);
});
