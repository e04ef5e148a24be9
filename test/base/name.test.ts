import test from 'ava';

import { MAX_NAME_LENGTH, checkName } from '../../src/base/name.ts';

test('names of letters, digits, dots, dashes and underscores are taken', (t) => {
  for (const name of ['a', 'pg-data_1.2', '7', 'x'.repeat(MAX_NAME_LENGTH)]) {
    t.is(checkName('volume', name), name);
  }
});

test('names that are paths, options, too long or hold control bytes are refused', (t) => {
  const bad = ['', '.', '..', '../x', 'a/b', '-x', '.x', 'a b', 'a\0b', 'a\n', '\u001b[2J', 'ä'];
  for (const name of [...bad, 'x'.repeat(300)]) {
    t.throws(() => checkName('volume', name), { code: 'volume/bad-name' }, JSON.stringify(name));
  }
});

test('the refusal shows control bytes as text and keeps to one line', (t) => {
  const error = t.throws(() => checkName('credential', 'a\n\u001b[2Jb'));
  // oxlint-disable-next-line no-control-regex -- they must not be there
  t.notRegex(error?.message ?? '', /[\u0000-\u001f]/);
});
