import type { ControlClient } from '../../src/control/client.ts';
import { followTask } from '../../src/demo/follow-task.ts';
import type { BenchAgent } from '../bench-agent.ts';
import type { Contestant, Figures } from './contestant.ts';
import { measureProcess } from './usage.ts';

export interface CloudvolOptions {
  readonly bench: BenchAgent;
  readonly name: string;
  readonly volume: string;
  readonly credential: string;
  /** Called with the volume's path before an incremental. */
  readonly change: (seed: number) => Promise<void>;
  /** Called before each work: takes what it will read out of the page cache. */
  readonly cool: () => Promise<void>;
}

/** A volume that is attached, and the agent that backs it up. */
export class Cloudvol implements Contestant {
  readonly name: string;
  readonly #options: CloudvolOptions;
  readonly #restored: string[] = [];

  constructor(options: CloudvolOptions) {
    this.name = options.name;
    this.#options = options;
  }

  change(seed: number): Promise<void> {
    return this.#options.change(seed);
  }

  full(): Promise<Figures> {
    return this.#measure(() => this.#backup(true));
  }

  incremental(): Promise<Figures> {
    return this.#measure(() => this.#backup(false));
  }

  async restore(): Promise<Figures> {
    const { credential, volume } = this.#options;
    const listed = await this.#client.call('listCloudsnaps', { credential, source: volume });
    const newest = listed.toSorted((a, b) => b.sequence - a.sequence)[0];
    if (!newest) throw new Error('there is no cloudsnap to restore');
    const name = `restored-${this.#restored.length}-${credential}`;
    this.#restored.push(name);
    return this.#measure(async () => {
      const input = { cloudsnap: newest.id, credential, name };
      const { task } = await this.#client.call('restore', input);
      return (await followTask(this.#client, task.id)).id;
    });
  }

  async reset(): Promise<void> {
    for (const volume of this.#restored.splice(0)) {
      await this.#client.call('deleteVolume', { volume });
    }
    const { credential, volume } = this.#options;
    const all = await this.#client.call('listCloudsnaps', { credential, source: volume });
    // Children before their parents.
    for (const { id } of all.toSorted((a, b) => b.sequence - a.sequence)) {
      const { id: task } = await this.#client.call('deleteCloudsnap', {
        cloudsnap: id,
        credential,
      });
      await followTask(this.#client, task);
    }
  }

  get #client(): ControlClient {
    return this.#options.bench.agent.client;
  }

  async #backup(full: boolean): Promise<string> {
    const { volume, credential } = this.#options;
    const { id } = await this.#client.call('backup', { volume, credential, full });
    const { result } = await followTask(this.#client, id);
    const wanted = full ? 'full' : 'incremental';
    if (result['kind'] !== wanted) throw new Error(`${wanted} wanted, made: ${result['kind']}`);
    return id;
  }

  async #measure(work: () => Promise<string>): Promise<Figures> {
    await this.#options.cool();
    const { pid = 0 } = this.#options.bench.agent.child;
    const before = await this.#requests();
    let task = '';
    const usage = await measureProcess(pid, async () => {
      task = await work();
    });
    const after = await this.#requests();
    const requests = Object.fromEntries(
      Object.entries(after).map(([verb, count]) => [verb, count - (before[verb] ?? 0)]),
    );
    if (process.env['BENCH_VERBOSE']) {
      const { result } = await this.#client.call('inspectTask', { task });
      console.log(this.name, JSON.stringify({ ...usage, requests, result }));
    }
    return { ...usage, requests };
  }

  async #requests(): Promise<Readonly<Record<string, number>>> {
    const all = await this.#client.call('listCredentials', {});
    const found = all.find(({ name }) => name === this.#options.credential);
    if (!found) throw new Error(`there is no credential ${this.#options.credential}`);
    return found.requests;
  }
}
