import { loadavg } from 'node:os';
import { followTask } from '../src/demo/follow-task.ts';
import { runCommand } from '../test/support/run-command.ts';
import { startBenchAgent } from './bench-agent.ts';
import { inTurn, printRow, saveResults, withRatio } from './measure.ts';

const ROUNDS = 3;
const VOLUME_BYTES = 4 * 2 ** 30;
const WRITTEN_MIB = 2048;
const BLOCK_BYTES = 64 << 10;
/** 1 % of the volume's blocks. */
const CHANGED_BLOCKS = Math.floor(VOLUME_BYTES / BLOCK_BYTES / 100);

/**
 * A full cloudsnap of 2 GiB in a 4 GiB volume against an incremental after 1 % of its blocks
 * changed, to a directory.
 */
export async function benchIncremental(): Promise<void> {
  const startedLoad = loadavg()[0] ?? 0;
  const bench = await startBenchAgent(process.env['BENCH_DIR'] ?? '/var/tmp');
  const { agent, reaper } = bench;
  try {
    await agent.client.call('createVolume', {
      name: 'bench',
      sizeBytes: VOLUME_BYTES,
      fileSystem: 'none',
    });
    const { path } = await agent.client.call('attachVolume', { volume: 'bench' });
    if (path === null) throw new Error('the volume was attached without a path');
    const fio = (...args: string[]) =>
      runCommand(reaper, 'fio', [
        '--name=bench',
        `--filename=${path}`,
        '--direct=1',
        '--ioengine=libaio',
        '--iodepth=16',
        '--buffer_compress_percentage=50',
        '--refill_buffers',
        '--randrepeat=0',
        ...args,
      ]);
    await fio('--rw=write', '--bs=1m', `--size=${WRITTEN_MIB}m`);
    const seconds = async (full: boolean) => {
      const started = performance.now();
      const { id } = await agent.client.call('backup', { volume: 'bench', full });
      await followTask(agent.client, id);
      return (performance.now() - started) / 1000;
    };
    const measured = await inTurn(
      ROUNDS,
      () => seconds(true),
      async () => {
        const change = [
          `--bs=${BLOCK_BYTES}`,
          `--size=${WRITTEN_MIB}m`,
          `--io_size=${CHANGED_BLOCKS * BLOCK_BYTES}`,
        ];
        await fio('--rw=randwrite', ...change);
        return await seconds(false);
      },
    );
    const work = { work: 'full of 2 GiB in a 4 GiB volume', unit: 's', peer: '1 % incremental' };
    const row = withRatio({ ...work, ...measured });
    printRow(row);
    console.log(`results: ${await saveResults('incremental', [row], startedLoad)}`);
  } finally {
    await bench.close();
  }
}
