import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { VolumeReport } from '../../src/volume/volume.ts';
import type { Reaper } from '../support/reaper.ts';

export interface CatalogDirectories {
  readonly stateDir: string;
  readonly liveDir: string;
  readonly runDir: string;
}

export type Answer = VolumeReport & { readonly status: string; readonly error?: string };

/** A process that serves the volumes of a state directory: see catalog-program.ts. */
export class CatalogProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string, undefined>;
  #log = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (!child.stdout || !child.stderr) throw new Error('the child has no pipes');
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
  }

  static async start(reaper: Reaper, directories: CatalogDirectories): Promise<CatalogProcess> {
    const { stateDir, liveDir, runDir } = directories;
    const program = join(import.meta.dirname, 'catalog-program.ts');
    const child = spawn(process.execPath, [program, stateDir, liveDir, runDir]);
    await reaper.pid(child);
    const started = new CatalogProcess(child);
    const { value } = await started.#answers.next();
    if (value !== 'ready') throw new Error(`the process did not start: ${started.#log}`);
    return started;
  }

  get log(): string {
    return this.#log;
  }

  async order(line: string): Promise<Answer> {
    this.#child.stdin?.write(`${line}\n`);
    const { value, done } = await this.#answers.next();
    if (done || value === undefined) throw new Error(`the process has ended: ${this.#log}`);
    return JSON.parse(value) as Answer;
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** An orderly end. */
  async end(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}
