import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { followTask } from '../../src/demo/follow-task.ts';
import { compareTrees } from '../../src/demo/tree/compare-trees.ts';
import { callTree } from '../../src/demo/tree/tree-calls.ts';
import { readLoopDevices } from '../../src/demo/reaper/loop-devices.ts';
import { readMounts } from '../../src/demo/reaper/mount-table.ts';
import { TestAgent } from '../support/agent.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';

const MIB = 1 << 20;
const { signal } = new AbortController();

/** Mounts a volume below the agent's folder. @returns the root of its tree of files. */
async function mount(agent: TestAgent, volume: string): Promise<string> {
  const path = join(agent.directory, 'mnt', volume);
  mkdirSync(path, { recursive: true });
  await agent.client.call('mountVolume', { volume, path });
  return join(path, 'files');
}

for (const fileSystem of ['ext4', 'xfs'] as const) {
  requires(
    'root',
    'fuse',
    'loop',
    'losetup',
    `mkfs.${fileSystem}`,
  )(`files on ${fileSystem} come back from every point, eagerly and lazily`, async (t) => {
    const agent = await TestAgent.start(t);
    const tree = <Call extends 'change' | 'digest' | 'fill'>(
      call: Call,
      input: Parameters<typeof callTree<Call>>[2],
    ) => callTree(agent.reaper, call, input, signal);
    await agent.client.call('createVolume', { name: 'origin', sizeBytes: 512 * MIB, fileSystem });
    const root = await mount(agent, 'origin');
    const sources = [{ path: '/usr/lib', limitBytes: 48 * MIB }];
    await tree('fill', { root, sources, leastBytes: MIB, mostBytes: 48 * MIB });
    const points = [];
    for (let seed = 1; seed <= 3; seed++) {
      if (seed > 1) await tree('change', { root, seed });
      const entries = await tree('digest', { root });
      points.push({ entries, task: await agent.backup('origin') });
    }
    t.deepEqual(
      points.map(({ task }) => task.result['kind']),
      ['full', 'incremental', 'incremental'],
    );
    for (const [index, { entries, task }] of points.entries()) {
      for (const lazy of [false, true]) {
        const name = `${lazy ? 'lazy' : 'eager'}-${index}`;
        const input = { cloudsnap: task.cloudsnapId, name, lazy };
        const restored = await agent.client.call('restore', input);
        await followTask(agent.client, restored.task.id);
        const restoredRoot = await mount(agent, name);
        t.deepEqual(compareTrees(entries, await tree('digest', { root: restoredRoot })), []);
        if (restored.hydrateTask) await followTask(agent.client, restored.hydrateTask.id);
        t.is((await agent.inspect(name)).absentBlocks, 0);
        await agent.client.call('unmountVolume', { volume: name });
      }
    }
  });
}

requires(
  'root',
  'fuse',
  'loop',
  'losetup',
  'mkfs.ext4',
)(
  'an agent that is stopped leaves no mount and no loop device, and mounts again at its start',
  async (t) => {
    const agent = await TestAgent.start(t);
    const isBelow = (path: string) => path.startsWith(`${agent.directory}/`);
    const mounts = () => readMounts().filter(({ path }) => isBelow(path));
    const loops = () => readLoopDevices().filter(({ backing }) => isBelow(backing));
    await agent.client.call('createVolume', {
      name: 'kept',
      sizeBytes: 64 * MIB,
      fileSystem: 'ext4',
    });
    const root = await mount(agent, 'kept');
    await runCommand(agent.reaper, 'cp', ['--archive', '/usr/share/common-licenses', root]);
    t.is(mounts().length, 2);
    t.is(loops().length, 1);
    await agent.stop();
    t.deepEqual(mounts(), []);
    t.deepEqual(loops(), []);
    await agent.startAgain();
    t.is(mounts().length, 2);
    await runCommand(agent.reaper, 'diff', ['-r', '/usr/share/common-licenses', root]);
  },
);
