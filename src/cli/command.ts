/**
 * What a command is: data that parsing and help are derived from, and the function that does it.
 */
import type { Clock } from '../base/clock.ts';
import type { ControlClient } from '../control/client.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Input } from './input.ts';
import type { Output } from './output.ts';

export interface OptionSpec {
  /**
   * flag: present or not; switch: on unless `--no-…`; text: a value; list: a value, any number of
   * times.
   */
  readonly kind: 'flag' | 'switch' | 'text' | 'list';
  readonly about: string;
  /** Letters or words that mean the same. */
  readonly alias?: readonly string[];
  readonly required?: boolean;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  readonly required?: boolean;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<Spec extends OptionSpec> = Spec['kind'] extends 'flag' | 'switch'
  ? boolean
  : Spec['kind'] extends 'list'
    ? readonly string[]
    : Spec extends { readonly required: true }
      ? string
      : string | undefined;

export type OptionValues<Options extends OptionTable> = {
  readonly [Name in keyof Options]: ValueOf<Options[Name]>;
};

type ArgumentValues<Arguments extends readonly ArgumentSpec[]> = {
  readonly [Index in keyof Arguments]: Arguments[Index] extends { readonly required: true }
    ? string
    : string | undefined;
};

export interface CommandContext {
  readonly client: ControlClient;
  readonly input: Input;
  readonly output: Output;
  /** `--json` */
  readonly json: boolean;
  /** `--local`: times for people are in the zone of this host. */
  readonly local: boolean;
  readonly clock: Clock;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Command<
  Options extends OptionTable = OptionTable,
  Arguments extends readonly ArgumentSpec[] = readonly ArgumentSpec[],
> {
  /** Whole command lines, at least one; help and the manual show them, a test parses them. */
  readonly examples: readonly [string, ...string[]];
  readonly arguments: Arguments;
  readonly options: Options;
  /** One of several options has to be given: alone, the command shows its help. */
  readonly needsOne?: true;
  /** Resolves with the exit code; nothing means ok. */
  run(
    context: CommandContext,
    options: OptionValues<Options>,
    values: ArgumentValues<Arguments>,
  ): Promise<ExitCode | void>;
}

/** Gives `run` the types of what the tables describe. */
export function defineCommand<
  const Options extends OptionTable,
  const Arguments extends readonly ArgumentSpec[],
>(command: Command<Options, Arguments>): Command {
  // The parser makes values of exactly the kinds that the tables name; that is checked nowhere
  // else.
  return command;
}

/** Understood by every command; one of the same name that a command has goes before. */
export const GLOBAL_OPTIONS = {
  json: { kind: 'flag', alias: ['j'], about: 'print JSON' },
  local: { kind: 'flag', about: 'times in the zone of this host, not in UTC' },
  socket: { kind: 'text', about: "the agent's socket [CLOUDVOL_SOCKET]" },
  help: { kind: 'flag', alias: ['h'], about: 'show help' },
} as const satisfies OptionTable;
