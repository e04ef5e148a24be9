import { spawn, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { S3Target } from '../../../src/store/store-target.ts';
import { eventually } from '../eventually.ts';
import { runCommand } from '../run-command.ts';
import { openReaper, type Reaper } from '../reaper.ts';

/** An S3 server that a test started: it, and all it wrote, is gone when the test's process is. */
export interface S3Server {
  /** `host:port`. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** A bucket of it that is made when it is missing, over plain http. */
  target(bucket: string): S3Target;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The processes of a server of several, with a folder for what they write. */
export class ServerProcesses {
  readonly folder: string;
  readonly #reaper: Reaper;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string, reaper: Reaper) {
    this.folder = folder;
    this.#reaper = reaper;
  }

  /** @param folder is there already; it is removed in the end. */
  static async open(folder: string): Promise<ServerProcesses> {
    const reaper = await openReaper();
    await reaper.directory(folder);
    return new ServerProcesses(folder, reaper);
  }

  async start(name: string, program: string, args: readonly string[]): Promise<void> {
    const output = openSync(join(this.folder, `${name}.out`), 'a');
    const child = spawn(program, args, { cwd: this.folder, stdio: ['ignore', output, output] });
    await once(child, 'spawn');
    await this.#reaper.pid(child);
    child.unref();
    this.#children.push(child);
  }

  /** Runs a program that ends; gives what it printed. */
  run(program: string, args: readonly string[]): Promise<string> {
    return runCommand(this.#reaper, program, args);
  }

  /** Whether none of them has ended by itself. */
  get running(): boolean {
    return this.#children.every(({ exitCode, signalCode }) => exitCode === null && !signalCode);
  }

  stop(): Promise<void> {
    return this.#reaper.done();
  }
}

/** A busy machine of two cores takes its time. */
export const START_LIMIT_MS = 120_000;

/** A server on a network says that it is there by answering, in no other way. */
export function untilAnswers(url: string, processes: ServerProcesses): Promise<void> {
  const answers = async () => {
    if (!processes.running) throw new Error(`a server ended; see ${processes.folder}`);
    // Refused until the server listens.
    const answer = await fetch(url).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer !== undefined && answer.status < 500;
  };
  return eventually(`${url} answers`, answers, START_LIMIT_MS).then(() => {});
}
