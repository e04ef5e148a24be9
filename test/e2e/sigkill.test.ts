import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { TestAgent } from '../support/agent.ts';

const MIB = 1 << 20;
const SIZE_BYTES = 256 * MIB;
/** Kills per run; `KILLS=100` goes on for longer. */
const KILLS = Number(process.env['KILLS'] ?? 3);

requires(
  'root',
  'fuse',
  'fio',
)(
  'after a SIGKILL in the middle of writes the next incremental restores what the volume holds',
  async (t) => {
    const agent = await TestAgent.start(t);
    let file = await agent.createAttached('killed', SIZE_BYTES);
    const write = ['--filename', file, '--direct=1', '--ioengine=libaio'];
    await runCommand(agent.reaper, 'fio', [
      '--name=fill',
      ...write,
      '--rw=write',
      '--bs=1m',
      '--size=64m',
    ]);
    t.is((await agent.backup('killed')).result['kind'], 'full');
    for (let kill = 1; kill <= KILLS; kill++) {
      const writer = spawn(
        'fio',
        [
          '--name=storm',
          ...write,
          '--rw=randwrite',
          '--bsrange=4k-256k',
          '--blockalign=4k',
          '--iodepth=16',
          `--size=${SIZE_BYTES}`,
          '--time_based',
          '--runtime=60',
          `--randseed=${kill}`,
          '--status-interval=100ms',
          '--eta=never',
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      await agent.reaper.pid(writer);
      const ended = once(writer, 'exit');
      // The first status: by then it writes.
      await once(writer.stdout, 'data');
      writer.stdout.resume();
      await agent.kill();
      await ended;
      await agent.startAgain();
      file = await agent.attach('killed');
      const { result, cloudsnapId } = await agent.backup('killed');
      t.is(result['kind'], 'incremental', `after kill ${kill}`);
      const restored = `restored-${kill}`;
      await agent.restore(cloudsnapId, restored);
      await runCommand(agent.reaper, 'cmp', [file, await agent.attach(restored)]);
      await agent.client.call('detachVolume', { volume: restored });
      await agent.client.call('deleteVolume', { volume: restored });
    }
  },
);
