import yargsParser from 'yargs-parser';

import { CloudvolError } from '../base/errors.ts';
import { GLOBAL_OPTIONS, type Command, type OptionSpec, type OptionTable } from './command.ts';
import { suggestion } from './suggestion.ts';

export interface ParsedArguments {
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly values: readonly (string | undefined)[];
}

/** Text stays text: a volume id is not a number, a dot in an option's name is a dot. */
const PARSING = {
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'strip-aliased': true,
} as const;

/**
 * The parser of yargs without yargs itself: help, checks and suggestions come from the command
 * tables here, and loading the rest of yargs takes longer than everything else that a command does.
 * @throws CloudvolError `usage/*`
 */
export function parseArguments(args: readonly string[], command: Command): ParsedArguments {
  const table: OptionTable = { ...GLOBAL_OPTIONS, ...command.options };
  const { argv, error } = yargsParser.detailed([...args], parserOptions(table));
  const parsed: Readonly<Record<string, unknown>> = argv;
  refuseUnknown(Object.keys(parsed), table);
  if (error) throw new CloudvolError('usage/bad-option', lowerFirst(error.message));
  const isHelp = parsed['help'] === true;
  const options = Object.fromEntries(
    Object.entries(table).map(([name, spec]) => [name, valueOf(name, spec, parsed[name], isHelp)]),
  );
  const positionals = argv._.map(String);
  return { options, values: isHelp ? [] : valuesOf(positionals, command) };
}

function parserOptions(table: OptionTable): yargsParser.Options {
  const all = Object.entries(table);
  const ofKind = (...kinds: OptionSpec['kind'][]) =>
    all.filter(([, { kind }]) => kinds.includes(kind)).map(([name]) => name);
  return {
    configuration: PARSING,
    alias: Object.fromEntries(all.map(([name, { alias }]) => [name, [...(alias ?? [])]])),
    boolean: ofKind('flag', 'switch'),
    default: Object.fromEntries(ofKind('switch').map((name) => [name, true])),
    string: ofKind('text', 'list'),
    array: ofKind('list'),
    narg: Object.fromEntries(ofKind('text', 'list').map((name) => [name, 1])),
  };
}

function valueOf(name: string, spec: OptionSpec, value: unknown, isHelp: boolean) {
  if (spec.kind === 'list') return Array.isArray(value) ? value.map(String) : [];
  // `--size 1 --size 2`: the last one is meant, as in a command that was edited at its end.
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  if (spec.kind === 'flag' || spec.kind === 'switch') return last === true;
  if (last === undefined && spec.required && !isHelp) {
    throw new CloudvolError('usage/missing-option', `--${name} is required`, {
      hint: `--${name}: ${spec.about}`,
    });
  }
  if (last === '') throw new CloudvolError('usage/bad-option', `--${name} has an empty value`);
  return typeof last === 'string' ? last : undefined;
}

function valuesOf(positionals: readonly string[], command: Command): (string | undefined)[] {
  const extra = positionals[command.arguments.length];
  if (extra !== undefined) {
    throw new CloudvolError(
      'usage/bad-argument',
      `${JSON.stringify(extra)} is one argument too many`,
      { hint: '--help shows the arguments' },
    );
  }
  return command.arguments.map(({ name, about, required }, index) => {
    const value = positionals[index];
    if (value === '') throw new CloudvolError('usage/bad-argument', `the ${name} is empty`);
    if (value === undefined && required) {
      throw new CloudvolError('usage/missing-argument', `the ${name} is missing: ${about}`, {
        hint: '--help shows the arguments',
      });
    }
    return value;
  });
}

function refuseUnknown(names: readonly string[], table: OptionTable): void {
  const known = Object.entries(table).flatMap(([name, { alias }]) => [name, ...(alias ?? [])]);
  const unknown = names.find((name) => name !== '_' && !known.includes(name));
  if (unknown === undefined) return;
  const dashed = (name: string) => (name.length === 1 ? `-${name}` : `--${name}`);
  const longNames = known.filter((name) => name.length > 1);
  const near = suggestion(unknown, longNames);
  throw new CloudvolError('usage/unknown-option', `there is no option ${dashed(unknown)}`, {
    hint: near ? `did you mean ${dashed(near)}?` : '--help lists the options',
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
