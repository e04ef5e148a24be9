import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import test, { type ExecutionContext } from 'ava';

import { runCli, type CommandResult } from '../support/agent.ts';
import { eventually } from '../support/eventually.ts';
import { openReaper } from '../support/reaper.ts';
import { requires } from '../support/requires.ts';

const AGENT = join(import.meta.dirname, '../../bin/cloudvol-agent');
/** Nobody, on every Linux. */
const NOBODY = 65534;

/** Directories for agents, and the agents, gone when the test ends in any way. */
async function openStage(t: ExecutionContext) {
  const reaper = await openReaper();
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'cloudvol-process-'));
  await reaper.directory(directory);
  t.teardown(() => reaper.done());
  const [state, run] = [join(directory, 'state'), join(directory, 'run')];
  const socket = join(run, 'agent.sock');
  const cli = (...args: string[]) => runCli(args, socket);
  const launch = async (command: string, args: readonly string[], options = {}) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    await reaper.pid(child);
    return new AgentChild(child);
  };
  const start = async (command: string = AGENT, before: readonly string[] = [], options = {}) => {
    const agent = await launch(
      command,
      [...before, '--state-dir', state, '--runtime-dir', run],
      options,
    );
    await eventually(
      'the agent answers',
      async () => (await cli('status')).code === 0 || agent.hasEnded,
    );
    return agent;
  };
  return { directory, state, run, socket, cli, launch, start };
}

class AgentChild {
  readonly ended: Promise<CommandResult>;
  readonly #child: ChildProcess;

  constructor(
    child: ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream },
  ) {
    this.#child = child;
    const exit = once(child, 'exit') as Promise<[number | null]>;
    this.ended = Promise.all([text(child.stdout), text(child.stderr), exit]).then(
      ([stdout, stderr, [code]]) => ({ code, stdout, stderr }),
    );
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  end(signal: NodeJS.Signals): Promise<CommandResult> {
    this.#child.kill(signal);
    return this.ended;
  }
}

function says(t: ExecutionContext, result: CommandResult, code: number, sentence: RegExp): void {
  t.is(result.code, code, result.stderr);
  t.is(result.stdout, '');
  t.regex(result.stderr.split('\n')[0] ?? '', sentence);
}

test.serial('wrong options are all named, and end the agent with 2', async (t) => {
  const { launch } = await openStage(t);
  const { ended } = await launch(AGENT, ['--stat-dir', 'x', '--log-level', 'loud']);
  says(t, await ended, 2, /--stat-dir.*log-level/);
});

test.serial('SIGTERM ends an agent in order: code 0, no socket, a line that says so', async (t) => {
  const stage = await openStage(t);
  const agent = await stage.start();
  t.true(existsSync(stage.socket));
  const { code, stderr } = await agent.end('SIGTERM');
  t.is(code, 0, stderr);
  t.false(existsSync(stage.socket));
  const events = stderr
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event);
  t.deepEqual([events[0], events.at(-1)], ['agent.started', 'agent.stopped']);
});

test.serial(
  'a second agent on the same directories is refused; after SIGKILL the next one starts',
  async (t) => {
    const stage = await openStage(t);
    const first = await stage.start();
    t.is((await stage.cli('volume', 'create', 'v', '--size', '64M', '--fs', 'none')).code, 0);
    const second = await stage.launch(AGENT, [
      '--state-dir',
      stage.state,
      '--runtime-dir',
      stage.run,
    ]);
    says(t, await second.ended, 1, /another agent is using/);
    await first.end('SIGKILL');
    t.true(existsSync(stage.socket), 'a killed agent leaves its socket file');
    const third = await stage.start();
    t.regex((await stage.cli('volume', 'list')).stdout, / v .*up - detached/);
    t.is((await third.end('SIGTERM')).code, 0);
  },
);

requires('root')('who may not reach the socket is told so', async (t) => {
  const stage = await openStage(t);
  const agent = await stage.start();
  // The modules are loaded first: nobody may not be allowed to read where this repository lies.
  const script = `
    const { ControlClient } = await import(process.argv[1]);
    process.setegid(${NOBODY});
    process.seteuid(${NOBODY});
    const client = new ControlClient(process.argv[2]);
    await client.call('listVolumes', {}).catch(({ code }) => console.log(code));
  `;
  const client = join(import.meta.dirname, '../../src/control/client.ts');
  const asNobody = await stage.launch(process.execPath, [
    '--input-type=module',
    '-e',
    script,
    client,
    stage.socket,
  ]);
  t.is((await asNobody.ended).stdout, 'agent/denied\n');
  t.is((await agent.end('SIGTERM')).code, 0);
});

requires('root')('an agent without root keeps volumes, and says what it cannot do', async (t) => {
  const stage = await openStage(t);
  for (const directory of [stage.directory, stage.state, stage.run]) {
    mkdirSync(directory, { recursive: true });
    chownSync(directory, NOBODY, NOBODY);
  }
  const script = `
    const { runAgent } = await import(process.argv[1]);
    const { openDomain } = await import(process.argv[2]);
    const { systemClock } = await import(process.argv[3]);
    process.setegid(${NOBODY});
    process.seteuid(${NOBODY});
    const openReal = async (log) => openDomain(systemClock, log);
    process.exitCode = await runAgent(process.argv.slice(4), openReal);
  `;
  const source = (path: string) => join(import.meta.dirname, '../../src', path);
  const modules = ['daemon/run-agent.ts', 'daemon/open-domain.ts', 'base/clock.ts'].map(source);
  const agent = await stage.start(
    process.execPath,
    ['--input-type=module', '-e', script, ...modules],
    {
      cwd: stage.directory,
    },
  );
  t.is((await stage.cli('volume', 'create', 'raw', '--size', '64M', '--fs', 'none')).code, 0);
  says(t, await stage.cli('volume', 'attach', 'raw'), 77, /needs root/);
  says(t, await stage.cli('volume', 'create', 'made', '--size', '64M'), 77, /needs root/);
  t.notRegex((await stage.cli('volume', 'list')).stdout, /made/);
  t.is((await agent.end('SIGTERM')).code, 0);
});

requires('root')(
  'on a host without FUSE nothing is attached, and the reason is said',
  async (t) => {
    const stage = await openStage(t);
    // A /dev of its own, in a mount namespace that ends with the agent.
    const script = `mount -t tmpfs none /dev && mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9 &&
    exec "$0" "$@"`;
    const agent = await stage.start('unshare', ['-m', 'sh', '-c', script, AGENT]);
    t.is((await stage.cli('volume', 'create', 'raw', '--size', '64M', '--fs', 'none')).code, 0);
    says(t, await stage.cli('volume', 'attach', 'raw'), 69, /no usable \/dev\/fuse/);
    says(
      t,
      await stage.cli('volume', 'create', 'made', '--size', '64M'),
      69,
      /no usable \/dev\/fuse/,
    );
    t.notRegex((await stage.cli('volume', 'list')).stdout, /made/);
    t.is((await agent.end('SIGTERM')).code, 0);
  },
);

requires('root')('on a full disk nothing is half made, and the reason is said', async (t) => {
  const stage = await openStage(t);
  mkdirSync(stage.state);
  const script = 'mount -t tmpfs -o size=4M none "$STATE" && exec "$0" "$@"';
  const env = { ...process.env, STATE: stage.state };
  const agent = await stage.start('unshare', ['-m', 'sh', '-c', script, AGENT], { env });
  // The file system is the agent's alone: whoever fills it has to go there.
  const inside = async (command: string) => {
    const args = ['-t', String(agent.pid), '-m', 'sh', '-c', command];
    await (
      await stage.launch('nsenter', args, { env })
    ).ended;
  };
  const create = (name: string) =>
    stage.cli('volume', 'create', name, '--size', '64M', '--fs', 'none');
  const names = async () => {
    const { stdout } = await stage.cli('volume', 'list', '--json');
    return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
  };
  t.is((await create('before')).code, 0);
  await inside('cat /dev/zero > "$STATE/filler"');
  says(t, await create('during'), 28, /no space left/);
  says(t, await stage.cli('cloudsnap', 'backup', 'before'), 28, /no space left/);
  t.deepEqual(await names(), ['before']);
  await inside('rm "$STATE/filler"');
  t.is((await create('after')).code, 0);
  t.deepEqual(await names(), ['after', 'before']);
  t.is((await agent.end('SIGTERM')).code, 0);
});
