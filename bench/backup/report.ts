import { median } from '../measure.ts';
import type { Figures } from './contestant.ts';

export interface BackupRow {
  readonly work: string;
  readonly who: string;
  readonly rounds: readonly Figures[];
  /** Median seconds of the peer, restic, over ours: above 1 is faster than it. */
  readonly ratio?: number;
}

const MIB = 2 ** 20;

export function rowOf(
  work: string,
  who: string,
  rounds: readonly Figures[],
  peer?: readonly Figures[],
): BackupRow {
  const seconds = (each: readonly Figures[]) => median(each.map((figures) => figures.seconds));
  return { work, who, rounds, ...(peer ? { ratio: seconds(peer) / seconds(rounds) } : {}) };
}

export function printBackupRow({ work, who, rounds, ratio }: BackupRow): void {
  const all = (pick: (figures: Figures) => number) => rounds.map(pick);
  const seconds = all((figures) => figures.seconds);
  const spread = `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`;
  const requests = Object.entries(rounds.at(-1)?.requests ?? {}).filter(([, count]) => count > 0);
  console.log(
    [
      work.padEnd(22),
      who.padEnd(20),
      `${median(seconds).toFixed(2)} s (${spread})`.padEnd(24),
      `CPU ${median(all((figures) => figures.cpuSeconds)).toFixed(1)} s`.padEnd(12),
      `peak ${Math.round(Math.max(...all((figures) => figures.peakBytes)) / MIB)} MiB`.padEnd(14),
      ratio === undefined ? ''.padEnd(16) : `${ratio.toFixed(2)} × restic`.padEnd(16),
      requests.map(([verb, count]) => `${count} ${verb}`).join(' '),
    ].join(' '),
  );
}
