import test from 'ava';

import { GROUPS, COMMANDS } from '../../src/cli/command-table.ts';
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.ts';
import { formatDuration, formatTime } from '../../src/cli/format.ts';
import { progressBar } from '../../src/cli/progress-bar.ts';
import { suggestion } from '../../src/cli/suggestion.ts';
import { runInProcess, taskView } from './cli-lab.ts';

const usage = async (...args: string[]) => {
  const { code, stdout, stderr } = await runInProcess(args);
  return { code, stdout, stderr };
};

test('every command loads, shows its help, and documents all that it takes', async (t) => {
  const paths = [
    ...GROUPS.flatMap(({ name, verbs }) => verbs.map((verb) => [name, verb.name])),
    ...COMMANDS.map(({ name }) => [name]),
  ];
  t.true(paths.length >= 18);
  for (const path of paths) {
    const { code, stdout } = await usage(...path, '--help');
    t.is(code, 0, path.join(' '));
    t.regex(stdout, new RegExp(`^NAME:\n   cloudvol ${path.join(' ')} - `));
    t.regex(stdout, /--json, -j/);
  }
});

test('names and aliases are unique within a group, options within a command', async (t) => {
  for (const { name, verbs } of GROUPS) {
    const words = verbs.flatMap((verb) => [verb.name, ...(verb.alias ?? [])]);
    t.deepEqual(words, [...new Set(words)], name);
    for (const verb of verbs) {
      const { command } = await verb.load();
      const options = Object.entries({
        json: { alias: ['j'] },
        socket: {},
        help: { alias: ['h'] },
        ...command.options,
      });
      const letters = options.flatMap(([option, spec]) => [
        option,
        ...('alias' in spec ? (spec.alias ?? []) : []),
      ]);
      t.deepEqual(letters, [...new Set(letters)], `${name} ${verb.name}`);
    }
  }
});

test('the help of a group lists the words of the original', async (t) => {
  const { code, stdout } = await usage('cloudsnap', '--help');
  t.is(code, 0);
  const words = [
    'backup, b',
    'restore, r',
    'list, l',
    'status, s',
    'history, h',
    'stop, st',
    'delete, d',
  ];
  for (const word of words) t.true(stdout.includes(`   ${word} `), word);
});

test('a mistyped command or option suggests the right one', async (t) => {
  const cases: [string[], RegExp][] = [
    [['cloudsnap', 'bakcup'], /did you mean 'cloudvol cloudsnap backup'\?/],
    [['volmue', 'list'], /did you mean 'cloudvol volume'\?/],
    [['volume', 'create', 'x', '--sise', '4G'], /did you mean --size\?/],
    [['volume', 'frobnicate'], /there are: create, list/],
  ];
  for (const [args, expected] of cases) {
    const { code, stdout, stderr } = await usage(...args);
    t.is(code, EXIT.usage);
    t.is(stdout, '');
    t.regex(stderr, expected);
  }
});

test('what is missing, too much or senseless is one sentence and exit code 2', async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /USAGE:/],
    [['volume'], /COMMANDS:/],
    [['volume', 'create', '--size', '4G'], /the name is missing/],
    [['volume', 'create', 'x'], /--size is required/],
    [['volume', 'create', 'x', '--size'], /not enough arguments following: size/i],
    [['volume', 'create', 'x', '--size='], /--size has an empty value/],
    [['volume', 'create', 'x', '--size', 'huge'], /"huge" is not a size/],
    [['volume', 'create', 'x', '--size', '1G', '--fs', 'ntfs'], /--fs ntfs is not known/],
    [['volume', 'create', 'x', '--size', '1G', '--label', 'novalue'], /"novalue" is not a label/],
    [['volume', 'inspect', 'a', 'b'], /"b" is one argument too many/],
    [['volume', 'inspect', ''], /the volume is empty/],
    [['volume', 'create', '-rf', '--size', '1G'], /there is no option -r/],
    [['cs', 'backup'], /one volume has to be named/],
    [['cs', 'backup', 'a', '-v', 'b'], /one volume has to be named/],
    [['cs', 'backup', 'a', '-i', '0'], /--frequency 0 is not a number above zero/],
    [['cs', 'restore'], /--snap is required/],
    [['cs', 'restore', '-s', 'x', '--no-hydrate'], /goes with --lazy only/],
    [['cs', 'restore', '-s', 'x', '--mount', '/mnt'], /--mount needs --lazy or --wait/],
    [['cs', 'stop'], /--name is required/],
    [['cs', 'list', '-t', 'lost'], /--status lost is not known/],
  ];
  for (const [args, expected] of cases) {
    const { code, stdout, stderr } = await usage(
      ...args,
      ...(args.length > 1 ? ['--socket', '/nowhere'] : []),
    );
    t.is(code, EXIT.usage, args.join(' '));
    t.is(stdout, '');
    t.regex(stderr, expected);
  }
});

test('exit codes follow the reason, whatever the area', (t) => {
  t.is(exitCodeOf('volume/not-found'), EXIT.notFound);
  t.is(exitCodeOf('volume/exists'), EXIT.conflict);
  t.is(exitCodeOf('volume/in-use'), EXIT.conflict);
  t.is(exitCodeOf('volume/bad-size'), EXIT.usage);
  t.is(exitCodeOf('volume/bad-name'), EXIT.usage);
  t.is(exitCodeOf('host/no-fuse'), EXIT.unavailable);
  t.is(exitCodeOf('host/command-missing'), EXIT.unavailable);
  t.is(exitCodeOf('host/not-root'), EXIT.noPermission);
  t.is(exitCodeOf('agent/denied'), EXIT.noPermission);
  t.is(exitCodeOf('store/full'), EXIT.noSpace);
  t.is(exitCodeOf('store/unavailable'), EXIT.tryAgain);
  t.is(exitCodeOf('cloudsnap/corrupt'), EXIT.corrupt);
  t.is(exitCodeOf('agent/internal'), EXIT.internal);
  t.is(exitCodeOf('task/stopped'), EXIT.stopped);
  t.is(exitCodeOf('any/thing'), EXIT.failed);
});

test('durations and times are printed as the original prints them', (t) => {
  t.is(formatDuration(0), '0s');
  t.is(formatDuration(420), '420ms');
  t.is(formatDuration(999.6), '1s');
  t.is(formatDuration(17_460), '17.46s');
  t.is(formatDuration(209_826), '3m29.826s');
  t.is(formatDuration(3_600_000 + 61_001), '1h1m1.001s');
  t.is(formatTime('2019-01-16T22:27:30.000Z'), 'Wed, 16 Jan 2019 22:27:30 UTC');
  t.is(formatTime(null), '');
});

test('the progress bar shows share, rate and time left, and never fills a line', (t) => {
  t.is(
    progressBar(taskView({ elapsedMs: 10_000 }), 100),
    'Backup-Active [####################....................] 50% 1 GiB/2 GiB 102.4 MiB/s 10s left',
  );
  for (let columns = 10; columns < 140; columns++) {
    t.true(progressBar(taskView(), columns).length < columns, `${columns} columns`);
  }
  t.regex(progressBar(taskView({ bytesDone: 0, bytesTotal: 0, etaSeconds: null }), 100), /\] 0% /);
});

test('suggestions know swapped, missing, wrong letters and beginnings; not other words', (t) => {
  const words = ['backup', 'restore', 'list', 'status'];
  t.is(suggestion('bakcup', words), 'backup');
  t.is(suggestion('backp', words), 'backup');
  t.is(suggestion('resto', words), 'restore');
  t.is(suggestion('lits', words), 'list');
  t.is(suggestion('elephant', words), undefined);
});
