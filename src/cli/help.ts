import { GLOBAL_OPTIONS, type Command, type OptionSpec, type OptionTable } from './command.ts';
import { COMMANDS, GROUPS } from './command-table.ts';
import type { CommandEntry, CommandGroup } from './command-table/command-entry.ts';

/** Help for one command, in the layout that users of the original know. */
export function commandHelp(
  program: string,
  path: string,
  entry: CommandEntry,
  command: Command,
): string {
  const named = command.arguments.map(({ name, required }) => (required ? name : `[${name}]`));
  const usage = [program, path, '[command options]', ...named].join(' ');
  const options = Object.entries({ ...command.options, ...globalOptions(command) });
  return sections([
    ['NAME', [`${program} ${path} - ${entry.summary}`]],
    ['USAGE', [usage]],
    ['ARGUMENTS', columns(command.arguments.map(({ name, about }) => [name, about]))],
    ['OPTIONS', columns(options.map(([name, spec]) => [optionWords(name, spec), spec.about]))],
    ['EXAMPLES', command.examples.map((line) => line.replace(/^cloudvol/, program))],
  ]);
}

function globalOptions({ options }: Command): OptionTable {
  return Object.fromEntries(Object.entries(GLOBAL_OPTIONS).filter(([name]) => !(name in options)));
}

export function groupHelp(
  program: string,
  path: string,
  { summary, verbs, groups = [] }: CommandGroup,
): string {
  return sections([
    ['NAME', [`${program} ${path} - ${summary}`]],
    ['USAGE', [`${program} ${path} command [command options] [arguments...]`]],
    ['COMMANDS', columns([...verbs, ...groups].map(entryWords))],
    ['OPTIONS', ['--help, -h  show help']],
  ]);
}

export function programHelp(program: string): string {
  return sections([
    ['NAME', [`${program} - virtual volumes as files, backed up to object storage as cloudsnaps`]],
    ['USAGE', [`${program} command [subcommand] [command options] [arguments...]`]],
    ['COMMANDS', columns([...GROUPS, ...COMMANDS].map(entryWords))],
    [
      'OPTIONS',
      columns([
        ['--version', 'show the version'],
        ['--help, -h', 'show help'],
      ]),
    ],
  ]);
}

function entryWords({ name, alias, summary }: Omit<CommandEntry, 'load'>): [string, string] {
  return [[name, ...(alias ?? [])].join(', '), summary];
}

function optionWords(name: string, { kind, alias }: OptionSpec): string {
  const takesValue = kind === 'text' || kind === 'list';
  const words = [kind === 'switch' ? `--no-${name}` : `--${name}`];
  for (const other of alias ?? []) words.push(other.length === 1 ? `-${other}` : `--${other}`);
  return words.map((word) => (takesValue ? `${word} value` : word)).join(', ');
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
}

function sections(all: readonly (readonly [string, readonly string[]])[]): string {
  return all
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [`${title}:`, ...lines.map((line) => `   ${line}`)].join('\n'))
    .join('\n\n');
}
