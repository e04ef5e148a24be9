import test from 'ava';

import { GROUPS, COMMANDS } from '../../src/cli/command-table.ts';
import type { CommandEntry, CommandGroup } from '../../src/cli/command-table/command-entry.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { findCommand } from '../../src/cli/find-command.ts';
import { parseArguments } from '../../src/cli/parse-arguments.ts';
import { runInProcess } from './cli-lab.ts';

const entriesOf = ({ verbs, groups = [] }: CommandGroup): CommandEntry[] => [
  ...verbs,
  ...groups.flatMap(entriesOf),
];
const entries = new Set([...GROUPS.flatMap(entriesOf), ...COMMANDS]);

test('every command has an example, and every example is a command line that parses', async (t) => {
  t.true(entries.size >= 30);
  for (const entry of entries) {
    const { command } = await entry.load();
    t.true(command.examples.length > 0, entry.name);
    for (const example of command.examples) {
      const [program, ...words] = example.split(' ');
      t.is(program, 'cloudvol', example);
      const found = findCommand(words);
      t.is(found.kind === 'command' ? found.entry : undefined, entry, example);
      if (found.kind !== 'command') continue;
      t.notThrows(() => parseArguments(found.rest, command), example);
    }
  }
});

test('help shows examples, by the name that the program was called by', async (t) => {
  const { stdout } = await runInProcess(['volume', 'create', '--help'], { program: 'pxctl' });
  t.regex(stdout, /^NAME:\n {3}pxctl volume create - /);
  t.regex(stdout, /\n\nEXAMPLES:\n {3}pxctl volume create db --size 4G\n/);
  const group = await runInProcess(['cs'], { program: 'pxctl' });
  t.regex(group.stderr, /^NAME:\n {3}pxctl cloudsnap - /);
  const typo = await runInProcess(['cs', 'bakcup'], { program: 'pxctl' });
  t.regex(typo.stderr, /did you mean 'pxctl cloudsnap backup'\?/);
});

test('a command that needs something shows its help when nothing is given', async (t) => {
  const bare = [
    ['credentials', 'create'],
    ['cloudsnap', 'backup'],
    ['cloudsnap', 'restore'],
    ['volume', 'create'],
  ];
  for (const path of bare) {
    const { code, stdout, stderr } = await runInProcess(path);
    t.is(code, EXIT.usage);
    t.is(stdout, '');
    t.regex(stderr, new RegExp(`^NAME:\n   cloudvol ${path.join(' ')} - [^]*\n\nOPTIONS:\n`));
  }
});
