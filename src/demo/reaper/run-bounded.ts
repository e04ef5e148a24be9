import { spawn } from 'node:child_process';

/**
 * Runs a command and waits for its end, at most `limitMs`. Resolves whether it ended in time with
 * exit code 0. One that hangs in the kernel (umount on a dead server) cannot be killed: it is
 * left to end when what it waits for goes away.
 */
export async function runBounded(
  command: string,
  args: readonly string[],
  limitMs: number,
): Promise<boolean> {
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.unref();
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve(false);
    }, limitMs);
    const finish = (succeeded: boolean) => {
      clearTimeout(timer);
      resolve(succeeded);
    };
    child.once('error', () => finish(false));
    child.once('exit', (code) => finish(code === 0));
  });
}
