import { formatByteSize } from '../base/byte-size.ts';
import { CloudvolError } from '../base/errors.ts';
import type { TaskView } from '../control/schemas.ts';
import { checkHost } from './check-host.ts';
import { FILE_SOURCES, LEAST_FILE_BYTES, MOST_FILE_BYTES } from './file-sources.ts';
import { howToGoOn } from './how-to-go-on.ts';
import { openReaper, type Reaper } from './reaper/reaper.ts';
import { agentLogTail, openStage, type Stage } from './stage.ts';
import { StepTable } from './step-table.ts';
import { backupFigures, digestFigures, requireEqual, restoreFigures } from './figures.ts';
import { compareTrees } from './tree/compare-trees.ts';
import type { TreeEntry } from './tree/digest-tree.ts';
import { callTree, type TreeCalls } from './tree/tree-calls.ts';

export interface DemoOptions {
  /** An existing folder, in which the demo works in a folder of its own. */
  readonly directory: string;
  /** Leave the agent and the volumes running at the end. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const VOLUME_BYTES = 4 * 2 ** 30;
/** The volumes: what is backed up, its first point restored, its last point restored lazily. */
const [SOURCE, EAGER, LAZY] = ['source', 'first', 'last'] as const;
/** The file read from the lazy restore: what a program might load first. */
const SAMPLE_BYTES = { least: 64 << 10, most: 4 << 20 };

/**
 * The main job of cloudvol on real files of this machine; afterwards nothing is left of it, however
 * it ends, unless it is kept.
 * @throws CloudvolError when the host lacks something, a step fails, or a restored file differs.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  checkHost(options.directory);
  const reaper = await openReaper();
  try {
    const stage = await openStage(options.directory, reaper, options.signal);
    const demo = new Demo(stage, reaper, options);
    await demo.run();
    if (options.keep) {
      stage.agent.leave();
      await reaper.keep();
    } else {
      await stage.close();
    }
  } finally {
    await reaper.done();
  }
}

class Demo {
  readonly #stage: Stage;
  readonly #reaper: Reaper;
  readonly #options: DemoOptions;
  readonly #table: StepTable;

  constructor(stage: Stage, reaper: Reaper, options: DemoOptions) {
    this.#stage = stage;
    this.#reaper = reaper;
    this.#options = options;
    this.#table = new StepTable(options.say, () => stage.countRequests());
  }

  async run(): Promise<void> {
    const { say, keep } = this.#options;
    say(`working in ${this.#stage.directory}`);
    try {
      await this.#createVolume();
      await this.#fill();
      const first = await this.#digest(SOURCE);
      const full = await this.#backup('cloudsnap 1');
      await this.#change(1);
      await this.#backup('cloudsnap 2');
      await this.#change(2);
      const last = await this.#digest(SOURCE);
      const newest = await this.#backup('cloudsnap 3');
      await this.#restoreEagerly(full.cloudsnapId, first);
      await this.#restoreLazily(newest.cloudsnapId, last);
    } catch (error) {
      if (!this.#options.signal.aborted) {
        for (const line of agentLogTail(this.#stage.directory)) say(`agent: ${line}`);
      }
      throw error;
    }
    for (const line of ['', ...this.#table.lines(), '']) say(line);
    if (keep) for (const line of howToGoOn(this.#stage, [SOURCE, EAGER, LAZY])) say(line);
  }

  async #createVolume(): Promise<void> {
    const { client } = this.#stage;
    const { signal } = this.#options;
    await this.#table.step('create a volume of 4 GiB with ext4, attach and mount it', async () => {
      const shape = { name: SOURCE, sizeBytes: VOLUME_BYTES, fileSystem: 'ext4' } as const;
      await client.call('createVolume', shape, { signal });
      await client.call('attachVolume', { volume: SOURCE, loop: true }, { signal });
      await this.#stage.mount(SOURCE);
    });
  }

  async #fill(): Promise<void> {
    const limits = { leastBytes: LEAST_FILE_BYTES, mostBytes: MOST_FILE_BYTES };
    await this.#table.step(
      'fill it with files of this machine',
      () => this.#tree('fill', SOURCE, { sources: FILE_SOURCES, ...limits }),
      ({ files, bytes }) => ({ bytes, remark: `${files} files, ${formatByteSize(bytes)}` }),
    );
  }

  async #change(seed: number): Promise<void> {
    await this.#table.step(
      'change, add, delete files',
      () => this.#tree('change', SOURCE, { seed }),
      ({ overwritten, appended, added, deleted, renamed, bytes }) => ({
        bytes,
        remark:
          `${overwritten + appended} changed, ${added} added, ${renamed} renamed, ` +
          `${deleted} deleted`,
      }),
    );
  }

  async #backup(name: string): Promise<TaskView> {
    const { client } = this.#stage;
    return this.#table.step(
      name,
      async () => {
        const { signal } = this.#options;
        const { id } = await client.call('backup', { volume: SOURCE }, { signal });
        return this.#stage.follow(id);
      },
      backupFigures,
    );
  }

  async #restoreEagerly(cloudsnap: string, expected: readonly TreeEntry[]): Promise<void> {
    const { client } = this.#stage;
    await this.#table.step(
      'restore cloudsnap 1 eagerly',
      async () => {
        const input = { cloudsnap, name: EAGER };
        const { task } = await client.call('restore', input, { signal: this.#options.signal });
        return this.#stage.follow(task.id);
      },
      restoreFigures,
    );
    await this.#stage.mount(EAGER);
    await this.#compare(EAGER, 'cloudsnap 1', expected);
  }

  async #restoreLazily(cloudsnap: string, expected: readonly TreeEntry[]): Promise<void> {
    const { client } = this.#stage;
    const { signal } = this.#options;
    const hydrateTask = await this.#table.step('restore cloudsnap 3 lazily', async () => {
      const restored = await client.call(
        'restore',
        { cloudsnap, name: LAZY, lazy: true },
        { signal },
      );
      await this.#stage.follow(restored.task.id);
      if (restored.hydrateTask) return restored.hydrateTask.id;
      throw new CloudvolError('demo/no-hydration', 'the lazy restore started no hydration');
    });
    await this.#readWhileAbsent(expected);
    await this.#table.step(
      'wait for its hydration',
      () => this.#stage.follow(hydrateTask),
      restoreFigures,
    );
    await this.#compare(LAZY, 'cloudsnap 3', expected);
  }

  /** Mounts the lazy restore and reads a file, while most of the volume is in the cloud only. */
  async #readWhileAbsent(expected: readonly TreeEntry[]): Promise<void> {
    const sample = expected.find(
      ({ kind, sizeBytes }) =>
        kind === 'file' && sizeBytes >= SAMPLE_BYTES.least && sizeBytes <= SAMPLE_BYTES.most,
    );
    if (!sample) throw new CloudvolError('demo/too-few-files', 'no file has a size to read first');
    await this.#table.step(
      'mount it at once and read a file',
      async () => {
        // Asked for before the mount: on a busy machine a small volume is filled before it is read.
        const { absentBlocks, blockBytes } = await this.#stage.inspect(LAZY);
        await this.#stage.mount(LAZY);
        const read = await this.#tree('read', LAZY, { path: sample.path });
        requireEqual(compareTrees([sample], [read]), 'the file read from the lazy restore');
        return absentBlocks * blockBytes;
      },
      (absentBytes) => ({
        bytes: sample.sizeBytes,
        remark: `${formatByteSize(absentBytes)} of the volume were still in the cloud only then`,
      }),
    );
  }

  async #digest(volume: string): Promise<readonly TreeEntry[]> {
    return this.#table.step(
      'note the SHA-256 of every file',
      () => this.#tree('digest', volume, {}),
      digestFigures,
    );
  }

  async #compare(volume: string, point: string, expected: readonly TreeEntry[]): Promise<void> {
    await this.#table.step(
      `compare every file with ${point}`,
      async () => {
        const actual = await this.#tree('digest', volume, {});
        requireEqual(compareTrees(expected, actual), `the files restored from ${point}`);
        return actual;
      },
      (entries) => ({ ...digestFigures(entries), remark: `all ${entries.length} are equal` }),
    );
  }

  #tree<Call extends keyof TreeCalls>(
    call: Call,
    volume: string,
    input: Omit<TreeCalls[Call]['input'], 'root'>,
  ): Promise<TreeCalls[Call]['output']> {
    // Not the mount point itself: lost+found is the file system's own.
    const root = `${this.#stage.mountPoint(volume)}/files`;
    const whole = { ...input, root } as unknown as TreeCalls[Call]['input'];
    return callTree(this.#reaper, call, whole, this.#options.signal);
  }
}
