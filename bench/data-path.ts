import { rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../test/support/run-command.ts';
import { startBenchAgent, type BenchAgent } from './bench-agent.ts';
import { inTurn, printRow, saveResults, withRatio, type ComparisonRow } from './measure.ts';

const ROUNDS = 3;
const SECONDS = 3;
const SIZE = 1 << 30;

const WORKS = [
  { name: '4k random read, QD1', rw: 'randread', bs: '4k', depth: 1 },
  { name: '4k random read, QD32', rw: 'randread', bs: '4k', depth: 32 },
  { name: '4k random write, QD1', rw: 'randwrite', bs: '4k', depth: 1 },
  { name: '4k random write, QD32', rw: 'randwrite', bs: '4k', depth: 32 },
  { name: '1M sequential read, QD8', rw: 'read', bs: '1m', depth: 8 },
  { name: '1M sequential write, QD8', rw: 'write', bs: '1m', depth: 8 },
] as const;

/**
 * The volume file against a direct-io loop device on a raw file, on a disk and in memory, each
 * filled beforehand.
 */
export async function benchDataPath(): Promise<void> {
  const startedLoad = loadavg()[0] ?? 0;
  const rows: ComparisonRow[] = [];
  for (const [place, parent] of [
    ['disk', process.env['BENCH_DIR'] ?? '/var/tmp'],
    ['memory', '/dev/shm'],
  ] as const) {
    const bench = await startBenchAgent(parent);
    try {
      rows.push(...(await compare(bench, place)));
    } finally {
      await bench.close();
    }
  }
  console.log(`results: ${await saveResults('data-path', rows, startedLoad)}`);
}

async function compare(
  { agent, reaper, directory }: BenchAgent,
  place: string,
): Promise<ComparisonRow[]> {
  const run = (command: string, ...args: string[]) => runCommand(reaper, command, args);
  await agent.client.call('createVolume', { name: 'bench', sizeBytes: SIZE, fileSystem: 'none' });
  const { path: volume } = await agent.client.call('attachVolume', { volume: 'bench' });
  if (volume === null) throw new Error('the volume was attached without a path');
  const raw = join(directory, 'raw');
  await run('dd', 'if=/dev/urandom', `of=${raw}`, 'bs=1M', `count=${SIZE >> 20}`, 'status=none');
  await run(
    'dd',
    `if=${raw}`,
    `of=${volume}`,
    'bs=1M',
    'oflag=direct',
    'conv=notrunc',
    'status=none',
  );
  const loop = (await run('losetup', '--find', '--show', '--direct-io=on', raw)).trim();
  await reaper.loop(loop, raw);
  const rows: ComparisonRow[] = [];
  try {
    for (const work of WORKS) {
      const measured = await inTurn(
        ROUNDS,
        () => fio(run, volume, work),
        () => fio(run, loop, work),
      );
      const unit = work.bs === '4k' ? 'IOPS' : 'MiB/s';
      const row = withRatio({
        work: `${place}: ${work.name}`,
        unit,
        peer: 'direct-io loop',
        ...measured,
      });
      printRow(row);
      rows.push(row);
    }
  } finally {
    await run('losetup', '--detach', loop);
    await rm(raw);
  }
  return rows;
}

interface FioReport {
  readonly jobs: readonly { readonly read: FioSide; readonly write: FioSide }[];
}
interface FioSide {
  readonly iops: number;
  /** KiB per second. */
  readonly bw: number;
}

async function fio(
  run: (command: string, ...args: string[]) => Promise<string>,
  file: string,
  { rw, bs, depth }: (typeof WORKS)[number],
): Promise<number> {
  const report = JSON.parse(
    await run(
      'fio',
      '--output-format=json',
      '--name=bench',
      `--filename=${file}`,
      `--rw=${rw}`,
      `--bs=${bs}`,
      `--iodepth=${depth}`,
      '--ioengine=libaio',
      '--direct=1',
      `--size=${SIZE}`,
      `--runtime=${SECONDS}`,
      '--time_based',
      '--randrepeat=0',
    ),
  ) as FioReport;
  const [job] = report.jobs;
  if (!job) throw new Error('fio reported no job');
  return bs === '4k' ? job.read.iops + job.write.iops : (job.read.bw + job.write.bw) / 1024;
}
