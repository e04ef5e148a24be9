import type { ExecutionContext } from 'ava';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { TestAgent } from '../support/agent.ts';

const MIB = 1 << 20;
const hostTest = requires('root', 'fuse');

/** Writes one megabyte at a place that differs from round to round. */
async function touch(agent: TestAgent, file: string, round: number): Promise<void> {
  await runCommand(agent.reaper, 'dd', [
    'if=/dev/urandom',
    `of=${file}`,
    'bs=1M',
    'count=1',
    `seek=${round % 16}`,
    'conv=notrunc',
    'status=none',
  ]);
}

/** Takes a cloudsnap with the command line. @returns its id, as `cloudsnap list` shows it last. */
async function backup(
  t: ExecutionContext,
  agent: TestAgent,
  ...options: string[]
): Promise<string> {
  const started = await agent.cli('cloudsnap', 'backup', 'chained', '--wait', ...options);
  t.is(started.code, 0, started.stderr);
  t.regex(started.stdout, /^Cloudsnap backup started successfully with id: [0-9a-f-]{36}$/m);
  const snaps = await agent.client.call('listCloudsnaps', {});
  return snaps.at(-1)?.id ?? '';
}

hostTest(
  'the first cloudsnap is full, six incrementals follow, every seventh is full',
  async (t) => {
    const agent = await TestAgent.start(t);
    const file = await agent.createAttached('chained', 16 * MIB);
    const ids: string[] = [];
    for (let round = 0; round < 9; round++) {
      await touch(agent, file, round);
      ids.push(await backup(t, agent));
    }
    const kinds = ids.map((id) => (id.endsWith('-incr') ? 'incr' : 'full'));
    t.deepEqual(kinds, ['full', ...Array<string>(6).fill('incr'), 'full', 'incr']);
    for (const id of ids) t.regex(id, /^[0-9a-f-]{36}\/[1-9]\d{0,18}-\d+(-incr)?$/);
    t.is(new Set(ids).size, ids.length);
  },
);

hostTest('--full makes a full at any time, and the six incrementals count from it', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('chained', 16 * MIB);
  const kinds: string[] = [];
  for (let round = 0; round < 10; round++) {
    await touch(agent, file, round);
    const id = await backup(t, agent, ...(round === 2 ? ['--full'] : []));
    kinds.push(id.endsWith('-incr') ? 'incr' : 'full');
  }
  t.deepEqual(kinds, ['full', 'incr', 'full', ...Array<string>(6).fill('incr'), 'full']);
});

hostTest('a dirty block with its old content and a zero block are not uploaded', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('chained', 16 * MIB);
  const fill = (from: string, seek: number) =>
    runCommand(agent.reaper, 'dd', [
      `if=${from}`,
      `of=${file}`,
      'bs=1M',
      'count=4',
      `seek=${seek}`,
      'conv=notrunc',
      'status=none',
    ]);
  const same = `${agent.directory}/same`;
  await runCommand(agent.reaper, 'dd', ['if=/dev/urandom', `of=${same}`, 'bs=1M', 'count=4']);
  await fill(same, 0);
  await fill('/dev/urandom', 4);
  await agent.backup('chained');
  await fill(same, 0);
  await fill('/dev/zero', 4);
  const { result } = await agent.backup('chained');
  const blocks = (4 * MIB) / (64 << 10);
  t.like(result, {
    kind: 'incremental',
    plannedBlocks: 2 * blocks,
    unchangedBlocks: blocks,
    zeroBlocks: blocks,
    uploadedBlocks: 0,
  });
});
