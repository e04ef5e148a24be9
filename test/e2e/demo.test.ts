import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ExecutionContext } from 'ava';
import { readLoopDevices } from '../../src/demo/reaper/loop-devices.ts';
import { readMounts } from '../../src/demo/reaper/mount-table.ts';
import { processStart } from '../../src/demo/reaper/process-start.ts';
import { openReaper } from '../support/reaper.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';

const CLI = join(import.meta.dirname, '../../bin/cloudvol');
const hostTest = requires('root', 'fuse', 'loop', 'losetup', 'mkfs.ext4');

interface Run {
  readonly child: ChildProcess;
  readonly directory: string;
  readonly lines: string[];
  /** Resolves when a line of the output matches. */
  readonly seen: (pattern: RegExp) => Promise<void>;
}

function runDemo(t: ExecutionContext, ...options: string[]): Run {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'cloudvol-demo-test-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  // A group of its own, as a terminal makes it: Ctrl-C goes to the whole group.
  const child = spawn(CLI, ['demo', '--dir', directory, ...options], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const waiting = new Map<RegExp, () => void>();
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line);
      for (const [pattern, resolve] of waiting) if (pattern.test(line)) resolve();
    });
  }
  const seen = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      waiting.set(pattern, resolve);
      child.once('exit', () => reject(new Error(`it ended first:\n${lines.join('\n')}`)));
    });
  return { child, directory, lines, seen };
}

function nothingLeft(t: ExecutionContext, directory: string): void {
  t.deepEqual(readdirSync(directory), []);
  t.deepEqual(
    readMounts().filter(({ path }) => path.startsWith(directory)),
    [],
  );
  t.deepEqual(
    readLoopDevices().filter(({ backing }) => backing.startsWith(directory)),
    [],
  );
  const speaksOfIt = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(
      (pid) => processStart(Number(pid)) !== undefined && commandLine(pid).includes(directory),
    );
  t.deepEqual(speaksOfIt.map(commandLine), []);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // It ended just now.
    return '';
  }
}

hostTest('the demo shows the full circle and leaves nothing behind', async (t) => {
  const { child, directory, lines } = runDemo(t);
  const [code] = (await once(child, 'close')) as [number | null];
  const output = lines.join('\n');
  t.is(code, 0, output);
  t.regex(output, /cloudsnap 1: full \S+: .* changed, .* uploaded/);
  t.is([...output.matchAll(/: incremental \S+-incr: /g)].length, 2);
  t.regex(output, /mount it at once and read a file: [\d.]+ [MG]iB of the volume were still/);
  t.is([...output.matchAll(/compare every file with .*: all \d{4,} are equal/g)].length, 2);
  t.regex(output, /^STEP +TIME +BYTES +REQUESTS$/m);
  // Every cloudsnap, and both restores, talk to the store: the lazy one while it is mounted.
  t.is([...output.matchAll(/^(?:cloudsnap|restore|mount) .*B +[1-9]\d*$/gm)].length, 5, output);
  nothingLeft(t, directory);
});

for (const step of [/^working in/, /fill it with/, /cloudsnap 2: /]) {
  hostTest(`Ctrl-C after "${step.source}" leaves nothing behind`, async (t) => {
    const { child, directory, seen, lines } = runDemo(t);
    const closed = once(child, 'close');
    await seen(step);
    process.kill(-(child.pid ?? 0), 'SIGINT');
    const [code] = (await closed) as [number | null];
    t.is(code, 130, lines.join('\n'));
    nothingLeft(t, directory);
  });
}

hostTest('after a SIGKILL of the demo the reaper leaves nothing behind', async (t) => {
  const { child, directory, seen } = runDemo(t);
  const closed = once(child, 'close');
  await seen(/cloudsnap 2: /);
  child.kill('SIGKILL');
  // The reaper holds the same stderr: its end is the end of the clean-up.
  await closed;
  nothingLeft(t, directory);
});

hostTest(
  'a step that fails ends the demo with its reason, and leaves nothing behind',
  async (t) => {
    const { child, directory, lines, seen } = runDemo(t);
    const closed = once(child, 'close');
    await seen(/fill it with/);
    const agent = readdirSync('/proc').find(
      (pid) => /^\d+$/.test(pid) && commandLine(pid).includes(`--state-dir ${directory}/`),
    );
    process.kill(Number(agent), 'SIGKILL');
    const [code] = (await closed) as [number | null];
    t.true(code !== 0 && code !== null, lines.join('\n'));
    const reasons = lines.filter((line) => line.startsWith('cloudvol: '));
    t.is(reasons.length, 1, lines.join('\n'));
    t.true(reasons[0]?.includes(directory), reasons[0]);
    nothingLeft(t, directory);
  },
);

hostTest('--keep leaves all of it running, and its own commands end it', async (t) => {
  const reaper = await openReaper();
  const { child, directory, lines } = runDemo(t, '--keep');
  await reaper.directory(directory);
  const [code] = (await once(child, 'close')) as [number | null];
  t.is(code, 0, lines.join('\n'));
  const commands = lines.filter((line) => /^ {2}(export|cloudvol|ls|kill|rm) /.test(line));
  const [, agent] = /kill (\d+)/.exec(commands.join('\n')) ?? [];
  await reaper.pid({ pid: Number(agent) });
  t.is(readMounts().filter(({ path }) => path.startsWith(directory)).length, 6);
  const typed = await runCommand(reaper, 'sh', ['-e', '-c', commands.join('\n')]);
  t.regex(typed, /^source .* Manual +Done$/m);
  t.is([...typed.matchAll(/^lost\+found$/gm)].length, 3);
  nothingLeft(t, directory);
  await reaper.done();
});
