import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import type { ControlClient } from '../../src/control/client.ts';
import type { TaskView, VolumeView } from '../../src/control/schemas.ts';
import { startAgentProcess, type AgentProcess } from '../../src/demo/agent-process.ts';
import { followTask } from '../../src/demo/follow-task.ts';
import { openReaper, type Reaper } from './reaper.ts';

const CLI = join(import.meta.dirname, '../../bin/cloudvol');

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A real agent as a child, on directories of its own, guarded by a reaper. */
export class TestAgent {
  readonly directory: string;
  readonly reaper: Reaper;
  #process: AgentProcess;

  private constructor(directory: string, reaper: Reaper, agent: AgentProcess) {
    this.directory = directory;
    this.reaper = reaper;
    this.#process = agent;
  }

  /** Starts one; whatever the test does, nothing of it is left when the test ends. */
  static async start(t: ExecutionContext): Promise<TestAgent> {
    const reaper = await openReaper();
    const directory = mkdtempSync(join(realpathSync(tmpdir()), 'cloudvol-test-'));
    await reaper.directory(directory);
    t.teardown(() => reaper.done());
    const agent = new TestAgent(directory, reaper, await launch(directory, reaper));
    // Runs before the reaper's: an orderly end is part of every test.
    t.teardown(async () => {
      if (!t.passed) t.log(agent.log());
      await agent.stop();
    });
    return agent;
  }

  get client(): ControlClient {
    return this.#process.client;
  }

  get pid(): number {
    return this.#process.child.pid ?? 0;
  }

  get socketPath(): string {
    return this.#process.socketPath;
  }

  /** What the agent has logged so far. */
  log(): string {
    return readFileSync(logPath(this.directory), 'utf8');
  }

  /** SIGTERM, and the end awaited; nothing where it has ended. */
  stop(): Promise<void> {
    return this.#process.stop();
  }

  /** SIGKILL: no goodbye. */
  async kill(): Promise<void> {
    const { child } = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Starts the agent again on the same directories, after stop() or kill(). */
  async startAgain(): Promise<void> {
    this.#process = await launch(this.directory, this.reaper);
  }

  /** Runs the command line against this agent. */
  cli(...args: string[]): Promise<CommandResult> {
    return runCli(args, this.socketPath);
  }

  /** The same with `stdin` on its standard input. */
  cliWith(stdin: string, ...args: string[]): Promise<CommandResult> {
    return runCli(args, this.socketPath, stdin);
  }

  /** A new volume, attached. @returns its file. */
  async createAttached(name: string, sizeBytes: number): Promise<string> {
    await this.client.call('createVolume', { name, sizeBytes, fileSystem: 'none' });
    return this.attach(name);
  }

  async attach(volume: string): Promise<string> {
    const { path } = await this.client.call('attachVolume', { volume });
    if (path === null) throw new Error(`volume ${volume} was attached without a path`);
    return path;
  }

  inspect(volume: string): Promise<VolumeView> {
    return this.client.call('inspectVolume', { volume });
  }

  /** Takes a cloudsnap and waits for it. */
  async backup(volume: string, options: { full?: boolean } = {}): Promise<TaskView> {
    const { id } = await this.client.call('backup', { volume, ...options });
    return followTask(this.client, id);
  }

  /** Restores eagerly and waits for it. */
  async restore(cloudsnap: string, name: string): Promise<TaskView> {
    const { task } = await this.client.call('restore', { cloudsnap, name });
    return followTask(this.client, task.id);
  }
}

/** Runs `cloudvol` and waits for its end. */
export async function runCli(
  args: readonly string[],
  socketPath: string,
  stdin = '',
): Promise<CommandResult> {
  const child = spawn(CLI, args, {
    env: { ...process.env, CLOUDVOL_SOCKET: socketPath },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A command that reads nothing may have ended before.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

async function launch(directory: string, reaper: Reaper): Promise<AgentProcess> {
  const logFile = openSync(logPath(directory), 'a');
  try {
    const stateDir = join(directory, 'state');
    return await startAgentProcess(
      { stateDir, runtimeDir: join(directory, 'run'), logFile },
      reaper,
    );
  } finally {
    closeSync(logFile);
  }
}

function logPath(directory: string): string {
  return join(directory, 'agent.log');
}
