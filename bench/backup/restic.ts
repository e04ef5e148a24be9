import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reaper } from '../../src/demo/reaper/reaper.ts';
import { runCommand } from '../../test/support/run-command.ts';
import type { Contestant, Figures } from './contestant.ts';
import { measureCommand } from './usage.ts';

export interface ResticOptions {
  readonly reaper: Reaper;
  readonly name: string;
  /** Where it may leave files. */
  readonly directory: string;
  /** `RESTIC_REPOSITORY`: a folder or `s3:http://…`. */
  readonly repository: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly image: string;
  readonly cool: () => Promise<void>;
  /** Removes what is in the repository. */
  readonly empty: () => Promise<void>;
}

/** restic as it is by default: repository version 2, `--compression auto`, encrypted. */
export class Restic implements Contestant {
  readonly name: string;
  readonly #options: ResticOptions;
  #initialized = false;

  constructor(options: ResticOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async change(): Promise<void> {
    // It reads the image file itself.
  }

  async full(): Promise<Figures> {
    if (!this.#initialized) await this.#plain('init', '--repository-version', '2');
    this.#initialized = true;
    return this.#measure('backup', this.#options.image);
  }

  incremental(): Promise<Figures> {
    return this.#measure('backup', this.#options.image);
  }

  async restore(): Promise<Figures> {
    await mkdir(this.#target, { recursive: true });
    return this.#measure('restore', 'latest', '--target', this.#target);
  }

  async reset(): Promise<void> {
    await rm(this.#target, { recursive: true, force: true });
    await rm(this.#cache, { recursive: true, force: true });
    await this.#options.empty();
    this.#initialized = false;
  }

  get #target(): string {
    return join(this.#options.directory, 'restic-restored');
  }

  get #cache(): string {
    return join(this.#options.directory, 'restic-cache');
  }

  get #env(): Record<string, string> {
    return {
      ...this.#options.env,
      RESTIC_REPOSITORY: this.#options.repository,
      RESTIC_PASSWORD: 'benchmark',
      RESTIC_CACHE_DIR: this.#cache,
    };
  }

  async #plain(...args: string[]): Promise<void> {
    const settings = Object.entries(this.#env).map(([name, value]) => `${name}=${value}`);
    await runCommand(this.#options.reaper, 'env', [...settings, 'restic', '--quiet', ...args]);
  }

  async #measure(...args: string[]): Promise<Figures> {
    await this.#options.cool();
    const { reaper } = this.#options;
    return measureCommand(reaper, 'restic', ['--quiet', ...args], { env: this.#env });
  }
}
