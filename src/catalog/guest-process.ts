import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { errnoOf } from '../base/errors.ts';

/** Requests of a walk that are under way at once: each waits in a thread. */
const THREADS = '16';
/** What is kept of its words for the message. */
const MAX_WORDS = 4 << 10;

/**
 * A process that looks into a mounted image, so that the agent never touches its own mounts. It
 * ends when the signal does, at the latest: a read that hangs ends with the image's source.
 */
export class GuestProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exited: Promise<unknown>;
  #words = '';

  constructor(command: string, args: readonly string[], signal: AbortSignal) {
    this.#child = spawn(command, args, {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C.UTF-8',
        UV_THREADPOOL_SIZE: THREADS,
      },
      signal,
      killSignal: 'SIGKILL',
    });
    this.#exited = once(this.#child, 'close').catch((error: unknown) => error);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#words.length < MAX_WORDS) this.#words += text;
    });
    // It may end before it has read everything: its exit code says why.
    this.#child.stdin.on('error', () => {});
  }

  get stdin(): Writable {
    return this.#child.stdin;
  }

  get stdout(): Readable {
    return this.#child.stdout;
  }

  /** The first line of what it said on stderr, or how it ended. */
  get words(): string {
    const { exitCode, signalCode } = this.#child;
    return this.#words.trim().split('\n')[0] || `it ended with ${signalCode ?? `code ${exitCode}`}`;
  }

  /** Resolves when it has ended, with its exit code; null when it was killed. */
  async ended(): Promise<number | null> {
    const failed = await this.#exited;
    if (errnoOf(failed) === 'ENOENT') throw failed;
    return this.#child.exitCode;
  }

  /** Ends it now, and waits for that. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
