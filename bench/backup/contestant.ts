import type { Usage } from './usage.ts';

export const WORKS = ['full', 'incremental', 'restore'] as const;
export type Work = (typeof WORKS)[number];

export interface Figures extends Usage {
  /** To the store, by verb; undefined where nobody counts them. */
  readonly requests?: Readonly<Record<string, number>>;
}

/**
 * One that backs up the image. `full` begins with nothing stored, `incremental` follows after 1 %
 * of the image has changed, `restore` brings back the newest.
 */
export interface Contestant {
  readonly name: string;
  /** Makes the changes of that seed to what it backs up, if that is not the image file itself. */
  change(seed: number): Promise<void>;
  full(): Promise<Figures>;
  incremental(): Promise<Figures>;
  restore(): Promise<Figures>;
  /** Removes what it has stored and restored: the next round begins with nothing. */
  reset(): Promise<void>;
}
