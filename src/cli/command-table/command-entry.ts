import type { Command } from '../command.ts';

/** A command by name; its module is loaded when it is typed. */
export interface CommandEntry {
  readonly name: string;
  readonly alias?: readonly string[];
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

export interface CommandGroup {
  readonly name: string;
  readonly alias?: readonly string[];
  readonly summary: string;
  readonly verbs: readonly CommandEntry[];
  /** Groups within this one: `cloudsnap credentials …`, `secrets kvdb …`. */
  readonly groups?: readonly CommandGroup[];
}
