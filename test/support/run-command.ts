import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Reaper } from './reaper.ts';

/**
 * Runs a program that touches a volume: in a process of its own, guarded, never in the test's.
 * @throws with its words when it ends with another code than 0.
 */
export async function runCommand(
  reaper: Reaper,
  command: string,
  args: readonly string[],
): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  await Promise.all([once(child, 'spawn'), reaper.pid(child)]);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  if (code === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
}
