import { loadavg } from 'node:os';
import { WORKS, type Contestant, type Figures, type Work } from './backup/contestant.ts';
import { BLOCK_BYTES, dropFromCache, Image } from './backup/image.ts';
import { lineUp } from './backup/line-up.ts';
import { printBackupRow, rowOf, type BackupRow } from './backup/report.ts';
import { measureSparse } from './backup/sparse.ts';
import { measureCommand } from './backup/usage.ts';
import { startBenchAgent, type BenchAgent } from './bench-agent.ts';
import { saveResults } from './measure.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const GIB = 2 ** 30;
const VOLUME_BYTES = Number(process.env['BENCH_GIB'] ?? 4) * GIB;
/** 1 % of the blocks of the 4 GiB. */
const CHANGED_BLOCKS = Math.floor((4 * GIB) / BLOCK_BYTES / 100 / 5) * 5;
const SPARSE_SIZES = [4 * GIB, 64 * GIB, 1024 * GIB];

/**
 * Full, 1 % incremental and eager restore of one image against restic and borg, in turn, and
 * incrementals of as many blocks in larger volumes.
 */
export async function benchBackup(): Promise<void> {
  const startedLoad = loadavg()[0] ?? 0;
  const bench = await startBenchAgent(process.env['BENCH_DIR'] ?? '/var/tmp');
  try {
    const rows = [...(await compare(bench)), ...(await growing(bench))];
    console.log(`results: ${await saveResults('backup', rows, startedLoad)}`);
  } finally {
    await bench.close();
  }
}

async function compare(bench: BenchAgent): Promise<BackupRow[]> {
  const image = await Image.make(bench.directory, VOLUME_BYTES, bench.reaper);
  const contestants = await lineUp(bench, image, CHANGED_BLOCKS);
  const measured = new Map<string, Figures[]>();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const work of WORKS) {
      if (work === 'incremental') {
        await image.changeIn(image.path, CHANGED_BLOCKS, round);
        for (const each of contestants) await each.change(round);
      }
      for (const each of contestants) note(measured, each, work, await each[work]());
    }
    note(measured, { name: 'zstd -1 -T2' }, 'full', await floor(bench, image));
    for (const each of contestants) await each.reset();
  }
  await image.remove();
  const rows = [...measured].map(([key, rounds]) => {
    const [work = '', who = ''] = key.split('|');
    const peer = who === 'restic' ? undefined : measured.get(`${work}|restic`);
    return rowOf(work, who, rounds, peer);
  });
  for (const row of rows) printBackupRow(row);
  return rows;
}

function note(
  measured: Map<string, Figures[]>,
  { name }: Pick<Contestant, 'name'>,
  work: Work,
  figures: Figures,
): void {
  const key = `${work}|${name}`;
  measured.set(key, [...(measured.get(key) ?? []), figures]);
}

/** What reading and compressing the bytes costs with nothing else. */
async function floor({ reaper }: BenchAgent, image: Image): Promise<Figures> {
  await dropFromCache(reaper, [image.path]);
  const args = ['-1', '-T2', '-q', '-f', image.path, '-o', '/dev/null'];
  return measureCommand(reaper, 'zstd', args);
}

async function growing(bench: BenchAgent): Promise<BackupRow[]> {
  const rows: BackupRow[] = [];
  for (const sizeBytes of SPARSE_SIZES) {
    const rounds = await measureSparse(bench, 'clear', sizeBytes, CHANGED_BLOCKS, ROUNDS);
    const row = rowOf(`incremental, ${sizeBytes / GIB} GiB`, 'cloudvol, clear', rounds);
    printBackupRow(row);
    rows.push(row);
  }
  return rows;
}
