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
import { requires } from '../support/requires.ts';

const CLI = join(import.meta.dirname, '../../bin/cloudvol');
const hostTest = requires('root', 'fuse', 'loop', 'losetup', 'mkfs.ext4');

interface Run {
  readonly child: ChildProcess;
  readonly directory: string;
  readonly lines: string[];
  /** Resolves when a line of the output matches. */
  readonly seen: (pattern: RegExp) => Promise<void>;
}

function runDemo(t: ExecutionContext): Run {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'cloudvol-demo-test-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  // A group of its own, as a terminal makes it: Ctrl-C goes to the whole group.
  const child = spawn(CLI, ['demo', '--dir', directory], {
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
  // Every cloudsnap and every restore talks to the store.
  t.is([...output.matchAll(/^(?:cloudsnap|restore|wait) .*B +[1-9]\d*$/gm)].length, 5, output);
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
