import { CloudvolError } from '../base/errors.ts';
import { COMMANDS, GROUPS } from './command-table.ts';
import type { CommandEntry, CommandGroup } from './command-table/command-entry.ts';
import { suggestion } from './suggestion.ts';

interface Named {
  readonly name: string;
  readonly alias?: readonly string[];
}

export type Found =
  | {
      readonly kind: 'command';
      readonly path: string;
      readonly entry: CommandEntry;
      readonly rest: string[];
    }
  /** Only a group was named, or nothing: its help is wanted. */
  | {
      readonly kind: 'group';
      readonly path: string;
      readonly group: CommandGroup | undefined;
      readonly isAsked: boolean;
    };

/** @throws CloudvolError `usage/unknown-command` */
export function findCommand(args: readonly string[], program = 'cloudvol'): Found {
  const [first, ...rest] = args;
  if (first === undefined || isHelp(first)) {
    return { kind: 'group', path: '', group: undefined, isAsked: first !== undefined };
  }
  const group = named(GROUPS, first);
  if (group) return findVerb(group, group.name, rest, program);
  const entry = named(COMMANDS, first);
  if (entry) return { kind: 'command', path: entry.name, entry, rest };
  throw unknown(first, program, [...GROUPS, ...COMMANDS]);
}

function findVerb(
  group: CommandGroup,
  path: string,
  args: readonly string[],
  program: string,
): Found {
  const [first, ...rest] = args;
  if (first === undefined || isHelp(first)) {
    return { kind: 'group', path, group, isAsked: first !== undefined };
  }
  const inner = named(group.groups ?? [], first);
  if (inner) return findVerb(inner, pathTo(inner, path), rest, program);
  const entry = named(group.verbs, first);
  if (entry) return { kind: 'command', path: `${path} ${entry.name}`, entry, rest };
  throw unknown(first, `${program} ${path}`, [...group.verbs, ...(group.groups ?? [])]);
}

/** A group that stands by itself as well is known by its short path. */
function pathTo(inner: CommandGroup, path: string): string {
  return GROUPS.includes(inner) ? inner.name : `${path} ${inner.name}`;
}

function named<T extends Named>(all: readonly T[], word: string): T | undefined {
  return all.find(({ name, alias }) => name === word || alias?.includes(word));
}

function isHelp(word: string): boolean {
  return ['--help', '-h', 'help'].includes(word);
}

function unknown(word: string, path: string, all: readonly Named[]): CloudvolError {
  const names = all.map(({ name }) => name);
  const near = suggestion(word, names);
  return new CloudvolError('usage/unknown-command', `there is no command '${path} ${word}'`, {
    hint: near ? `did you mean '${path} ${near}'?` : `there are: ${names.join(', ')}`,
  });
}
