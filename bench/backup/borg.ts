import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reaper } from '../../src/demo/reaper/reaper.ts';
import { runCommand } from '../../test/support/run-command.ts';
import type { Contestant, Figures } from './contestant.ts';
import { measureCommand } from './usage.ts';

export interface BorgOptions {
  readonly reaper: Reaper;
  readonly directory: string;
  readonly image: string;
  readonly cool: () => Promise<void>;
}

/** borg with zstd,1 and repokey-blake2: the nearest that it has to what cloudvol does. */
export class Borg implements Contestant {
  readonly name = 'borg';
  readonly #options: BorgOptions;
  #archives = 0;

  constructor(options: BorgOptions) {
    this.#options = options;
  }

  async change(): Promise<void> {
    // It reads the image file itself.
  }

  async full(): Promise<Figures> {
    const settings = Object.entries(this.#env).map(([name, value]) => `${name}=${value}`);
    const init = ['borg', 'init', '--encryption', 'repokey-blake2', this.repository];
    await runCommand(this.#options.reaper, 'env', [...settings, ...init]);
    return this.incremental();
  }

  incremental(): Promise<Figures> {
    const archive = `${this.repository}::${++this.#archives}`;
    return this.#measure('create', '--compression', 'zstd,1', archive, this.#options.image);
  }

  async restore(): Promise<Figures> {
    await mkdir(this.#target, { recursive: true });
    return this.#measure('extract', '--sparse', `${this.repository}::${this.#archives}`);
  }

  async reset(): Promise<void> {
    for (const path of [this.repository, this.#target, this.#base]) {
      await rm(path, { recursive: true, force: true });
    }
    this.#archives = 0;
  }

  get repository(): string {
    return join(this.#options.directory, 'stores', 'borg');
  }

  get #target(): string {
    return join(this.#options.directory, 'borg-restored');
  }

  get #base(): string {
    return join(this.#options.directory, 'borg-base');
  }

  get #env(): Record<string, string> {
    return { BORG_PASSPHRASE: 'benchmark', BORG_BASE_DIR: this.#base };
  }

  async #measure(...args: string[]): Promise<Figures> {
    await mkdir(this.#target, { recursive: true });
    await this.#options.cool();
    const options = { env: this.#env, cwd: this.#target };
    return measureCommand(this.#options.reaper, 'borg', args, options);
  }
}
