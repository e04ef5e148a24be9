import type { Clock } from '../base/clock.ts';

export const BACKUP_PHASES = ['plan', 'freeze', 'begin', 'copy', 'commit', 'chain'] as const;
export type BackupPhase = (typeof BACKUP_PHASES)[number];

/** How long each phase of a backup took. */
export class PhaseTimes {
  readonly #clock: Clock;
  readonly #ms = new Map<BackupPhase, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async measure<T>(phase: BackupPhase, work: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.nowMs();
    try {
      return await work();
    } finally {
      // The wall clock may be set back in between; a phase never took less than nothing.
      this.#ms.set(phase, Math.max(0, this.#clock.nowMs() - startMs));
    }
  }

  /** `planMs`, `freezeMs`, …; phases that were not reached are left out. */
  toResult(): Record<string, number> {
    return Object.fromEntries([...this.#ms].map(([phase, ms]) => [`${phase}Ms`, ms]));
  }
}
