import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Reaper } from '../../src/demo/reaper/reaper.ts';

/** What a piece of work cost. */
export interface Usage {
  readonly seconds: number;
  /** User and system, with children. */
  readonly cpuSeconds: number;
  /** Most memory that was resident at once. */
  readonly peakBytes: number;
}

/** Ticks of utime and stime in /proc/<pid>/stat: USER_HZ, 100 on every Linux. */
const TICKS_PER_SECOND = 100;

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a peer under GNU time, which asks wait4(2) for what it used. */
export async function measureCommand(
  reaper: Reaper,
  command: string,
  args: readonly string[],
  { env = {}, cwd = '/' }: CommandOptions = {},
): Promise<Usage> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudvol-bench-'));
  const report = join(folder, 'time');
  try {
    const started = performance.now();
    const child = spawn('/usr/bin/time', ['-f', '%U %S %M', '-o', report, command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      cwd,
    });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    await once(child, 'spawn');
    await reaper.pid(child);
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      ended,
    ]);
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${stdout}\n${stderr}`);
    const [user = 0, system = 0, kib = 0] = (await readFile(report, 'utf8')).split(' ').map(Number);
    return { seconds, cpuSeconds: user + system, peakBytes: kib * 1024 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What a running process, an agent, uses for some work. */
export async function measureProcess(pid: number, work: () => Promise<unknown>): Promise<Usage> {
  // proc_pid_clear_refs(5): 5 sets the high-water mark back to what is resident now.
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  const before = await cpuSecondsOf(pid);
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const cpuSeconds = (await cpuSecondsOf(pid)) - before;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]);
  return { seconds, cpuSeconds, peakBytes: kib * 1024 };
}

/** Its own and that of children it has waited for: fields 14 to 17 of proc_pid_stat(5). */
async function cpuSecondsOf(pid: number): Promise<number> {
  const line = await readFile(`/proc/${pid}/stat`, 'latin1');
  const ticks = line
    .slice(line.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
}
