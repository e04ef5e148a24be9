import yargs, { type Options as YargsOption } from 'yargs';

import { CloudvolError } from '../base/errors.ts';
import { GLOBAL_OPTIONS, type Command, type OptionSpec, type OptionTable } from './command.ts';
import { suggestion } from './suggestion.ts';

export interface ParsedArguments {
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly values: readonly (string | undefined)[];
}

/** Text stays text (a volume id is not a number), a repeated option's last value wins. */
const PARSING = {
  'boolean-negation': true,
  'camel-case-expansion': false,
  'dot-notation': false,
  'duplicate-arguments-array': true,
  'greedy-arrays': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
} as const;

/** @throws CloudvolError `usage/*` */
export function parseArguments(args: readonly string[], command: Command): ParsedArguments {
  const table: OptionTable = { ...command.options, ...GLOBAL_OPTIONS };
  const parser = yargs([...args])
    .locale('en')
    .help(false)
    .version(false)
    .exitProcess(false)
    .parserConfiguration(PARSING)
    .fail((message, error) => {
      throw error ?? new CloudvolError('usage/bad-option', lowerFirst(message));
    });
  for (const [name, spec] of Object.entries(table)) parser.option(name, yargsOption(spec));
  const parsed: Readonly<Record<string, unknown>> = parser.parseSync();
  refuseUnknown(Object.keys(parsed), table);
  const isHelp = parsed['help'] === true;
  const options = Object.fromEntries(
    Object.entries(table).map(([name, spec]) => [name, valueOf(name, spec, parsed[name], isHelp)]),
  );
  const positionals = (parsed['_'] as readonly unknown[]).map(String);
  return { options, values: isHelp ? [] : valuesOf(positionals, command) };
}

function yargsOption({ kind, alias }: OptionSpec): YargsOption {
  const shared = { alias: [...(alias ?? [])] };
  if (kind === 'flag') return { ...shared, type: 'boolean' };
  if (kind === 'switch') return { ...shared, type: 'boolean', default: true };
  return { ...shared, type: kind === 'list' ? 'array' : 'string', string: true, requiresArg: true };
}

function valueOf(name: string, spec: OptionSpec, value: unknown, isHelp: boolean) {
  if (spec.kind === 'flag' || spec.kind === 'switch') return value === true;
  if (spec.kind === 'list') return Array.isArray(value) ? value.map(String) : [];
  // `--size 1 --size 2`: the last one is meant, as in a command that was edited at its end.
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  if (last === undefined && spec.required && !isHelp) {
    throw new CloudvolError('usage/missing-option', `--${name} is required`, {
      hint: `--${name}: ${spec.about}`,
    });
  }
  if (last === '') throw new CloudvolError('usage/bad-option', `--${name} has an empty value`);
  return last === undefined ? undefined : String(last);
}

function valuesOf(positionals: readonly string[], command: Command): (string | undefined)[] {
  const extra = positionals[command.arguments.length];
  if (extra !== undefined) {
    throw new CloudvolError('usage/bad-argument', `${JSON.stringify(extra)} is one argument too many`);
  }
  return command.arguments.map(({ name, about, required }, index) => {
    const value = positionals[index];
    if (value === '') throw new CloudvolError('usage/bad-argument', `${name} is empty`);
    if (value === undefined && required) {
      throw new CloudvolError('usage/missing-argument', `${name} is missing: ${about}`);
    }
    return value;
  });
}

function refuseUnknown(names: readonly string[], table: OptionTable): void {
  const known = Object.entries(table).flatMap(([name, { alias }]) => [name, ...(alias ?? [])]);
  const unknown = names.find((name) => !['_', '$0', ...known].includes(name));
  if (unknown === undefined) return;
  const dashed = (name: string) => (name.length === 1 ? `-${name}` : `--${name}`);
  const near = suggestion(unknown, known.filter((name) => name.length > 1));
  throw new CloudvolError('usage/unknown-option', `there is no option ${dashed(unknown)}`, {
    hint: near ? `did you mean ${dashed(near)}?` : '--help lists the options',
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
