import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

/**
 * One figure beside that of its peer, measured in turn in the same run: only the ratio is worth
 * comparing between runs.
 */
export interface Comparison {
  readonly work: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly peer: string;
  readonly peers: readonly number[];
}

export interface ComparisonRow extends Comparison {
  readonly ratio: number;
}

/** Runs A B A B … so that what else the machine does meets both. */
export async function inTurn(
  rounds: number,
  ours: () => Promise<number>,
  peer: () => Promise<number>,
): Promise<Pick<Comparison, 'ours' | 'peers'>> {
  const measured = { ours: [] as number[], peers: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    measured.ours.push(await ours());
    measured.peers.push(await peer());
  }
  return measured;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error('a median of nothing was asked for');
  return middle;
}

export function withRatio(row: Comparison): ComparisonRow {
  return { ...row, ratio: median(row.ours) / median(row.peers) };
}

export function printRow(row: ComparisonRow): void {
  const figures = (values: readonly number[]) =>
    `${format(median(values))} (${format(Math.min(...values))}–${format(Math.max(...values))})`;
  const cells = [
    row.work.padEnd(34),
    figures(row.ours).padEnd(28),
    row.peer.padEnd(22),
    figures(row.peers).padEnd(28),
  ];
  console.log(`${cells.join(' ')} ${row.unit.padEnd(6)} ratio ${row.ratio.toFixed(2)}`);
}

/** Writes the rows with the machine they were measured on. @returns the file. */
export async function saveResults(
  name: string,
  rows: readonly object[],
  startedLoad: number,
): Promise<string> {
  const directory = join(import.meta.dirname, 'results');
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${name}.json`);
  const machine = {
    processors: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    loadBefore: startedLoad,
    loadAfter: loadavg()[0],
  };
  await writeFile(
    path,
    `${JSON.stringify({ measured: new Date().toISOString(), machine, rows }, undefined, 2)}\n`,
  );
  return path;
}

function format(value: number): string {
  return value >= 100 ? Math.round(value).toString() : value.toPrecision(3);
}
