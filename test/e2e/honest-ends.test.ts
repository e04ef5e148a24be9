import { join } from 'node:path';
import { tmpdir } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { runCli, TestAgent, type CommandResult } from '../support/agent.ts';
import { requires } from '../support/requires.ts';

/** One sentence that names the thing, and the exit code that scripts rely on. */
function says(t: ExecutionContext, result: CommandResult, code: number, sentence: RegExp): void {
  t.is(result.code, code, result.stderr);
  t.is(result.stdout, '');
  const [first = '', ...more] = result.stderr.trimEnd().split('\n');
  t.regex(first, sentence);
  t.true(more.length === 0 || (more.length === 1 && more[0]?.startsWith('hint: ')), result.stderr);
}

test('an agent that is not running is said to be so', async (t) => {
  const socket = join(tmpdir(), 'no-agent-here.sock');
  says(t, await runCli(['volume', 'list'], socket), 69, /no agent is running at .*no-agent-here/);
});

requires(
  'root',
  'fuse',
  'loop',
  'losetup',
  'mkfs.ext4',
)('what cannot be done is said in one sentence, with an exit code', async (t) => {
  const agent = await TestAgent.start(t);
  const create = (...args: string[]) => agent.cli('volume', 'create', ...args);
  t.is((await create('taken', '--size', '64M', '--fs', 'none')).code, 0);
  says(t, await create('taken', '--size', '64M', '--fs', 'none'), 4, /volume taken already/);
  says(t, await create('odd', '--size', '1000000', '--fs', 'none'), 2, /not a multiple/);
  for (const name of ['../x', '-x', 'a'.repeat(300), 'a\tb', '']) {
    t.is((await create('--size', '64M', '--', name)).code, 2, name);
  }
  says(t, await agent.cli('volume', 'inspect', 'nobody'), 3, /nobody/);
  says(t, await agent.cli('cloudsnap', 'backup', 'nobody'), 3, /nobody/);
  const snap = '00000000-0000-0000-0000-000000000000/1-1';
  says(t, await agent.cli('cloudsnap', 'restore', '--snap', snap), 3, /1-1/);
  t.is((await agent.cli('volume', 'attach', 'taken')).code, 0);
  says(t, await agent.cli('volume', 'delete', 'taken'), 4, /taken.*(attached|in use)/);
  t.is((await agent.cli('volume', 'detach', 'taken')).code, 0);
  t.is((await agent.cli('volume', 'delete', 'taken')).code, 0);
  says(t, await agent.cli('volume', 'delete', 'taken'), 3, /taken/);
});
