import { spawn } from 'node:child_process';
import { CloudvolError, errnoOf } from '../base/errors.ts';

/** Mounting and formatting take seconds; a minute means that the device behind does not answer. */
const DEFAULT_TIMEOUT_MS = 60_000;
/** What is kept of a command's words for the message. */
const MAX_OUTPUT_BYTES = 64 << 10;
/** Debian packages of the tools that cloudvol calls, for the hint when one is missing. */
const PACKAGES: Readonly<Record<string, string>> = {
  mount: 'mount',
  umount: 'mount',
  losetup: 'mount',
  realpath: 'coreutils',
  sync: 'coreutils',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
};

export interface HostCommandOptions {
  readonly timeoutMs?: number;
  /** Descriptors handed over as 3, 4, …; no other is inherited. */
  readonly descriptors?: readonly number[];
}

/**
 * Runs a host's tool in a process of its own, without a shell, and returns what it printed.
 * Whatever may touch one of our own mounts runs here, never in a thread of the agent
 * (agent-never-touches-its-own-mounts).
 * @throws CloudvolError `host/command-missing`, `host/command-failed` (its words in the message),
 * `host/command-timeout`
 */
export async function runHostCommand(
  command: string,
  args: readonly string[],
  options: HostCommandOptions = {},
): Promise<string> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...(options.descriptors ?? [])],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
  });
  const output: string[] = [];
  const words: string[] = [];
  collect(child.stdout, output);
  collect(child.stderr, words);
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      // A process inside a hung mount dies only when the mount answers: nothing waits for it.
      child.unref();
      child.stdout?.destroy();
      child.stderr?.destroy();
      reject(
        new CloudvolError('host/command-timeout', `${command} did not end within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(errnoOf(error) === 'ENOENT' ? missing(command) : error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output.join(''));
      else
        reject(
          failed(
            command,
            words.join('').trim() || `it ended with ${signal ?? `code ${code}`}`,
            code,
          ),
        );
    });
  });
}

function collect(stream: NodeJS.ReadableStream | null, into: string[]): void {
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (bytes < MAX_OUTPUT_BYTES) into.push(chunk.toString('utf8'));
    bytes += chunk.length;
  });
}

function missing(command: string): CloudvolError {
  const name = PACKAGES[command];
  return new CloudvolError('host/command-missing', `${command} is not installed on this host`, {
    hint: name ? `install the package ${name}` : `install ${command}`,
  });
}

function failed(command: string, words: string, code: number | null): CloudvolError {
  const firstLine = words.split('\n')[0] ?? words;
  return new CloudvolError('host/command-failed', `${command} failed: ${firstLine}`, {
    details: { command, exitCode: code ?? -1, output: words },
  });
}
