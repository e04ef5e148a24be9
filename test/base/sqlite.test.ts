import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';

import { Sqlite } from '../../src/base/sqlite.ts';

const directory = mkdtempSync(join(tmpdir(), 'cloudvol-sqlite-'));
test.after.always(() => rmSync(directory, { recursive: true, force: true }));

const V1 = 'CREATE TABLE word (text TEXT NOT NULL UNIQUE) STRICT';

test('what was committed is there after reopening', (t) => {
  const path = join(directory, 'kept.db');
  const first = Sqlite.open(path, [V1]);
  first.run('INSERT INTO word VALUES (:text)', { text: 'one' });
  first.close();
  const second = Sqlite.open(path, [V1]);
  t.deepEqual(
    second.all('SELECT text FROM word').map(({ text }) => text),
    ['one'],
  );
  second.close();
});

test('every commit is synced, in WAL mode', (t) => {
  const database = Sqlite.open(join(directory, 'modes.db'), [V1]);
  t.is(database.get('PRAGMA journal_mode')?.['journal_mode'], 'wal');
  t.is(database.get('PRAGMA synchronous')?.['synchronous'], 2);
  database.close();
});

test('a transaction that throws leaves nothing behind', (t) => {
  const database = Sqlite.open(join(directory, 'atomic.db'), [V1]);
  t.throws(
    () =>
      database.transaction(() => {
        database.run('INSERT INTO word VALUES (:text)', { text: 'lost' });
        throw new Error('no');
      }),
    { message: 'no' },
  );
  t.deepEqual(database.all('SELECT * FROM word'), []);
  database.close();
});

test('migrations are applied once each, in order', (t) => {
  const path = join(directory, 'grown.db');
  Sqlite.open(path, [V1]).close();
  const grown = Sqlite.open(path, [V1, 'ALTER TABLE word ADD COLUMN language TEXT']);
  grown.run(`INSERT INTO word VALUES ('mot', 'fr')`);
  t.is(grown.get('PRAGMA user_version')?.['user_version'], 2);
  grown.close();
});

test('a database of a later version is refused and left alone', (t) => {
  const path = join(directory, 'later.db');
  Sqlite.open(path, [V1, 'CREATE TABLE later (x TEXT) STRICT']).close();
  t.throws(() => Sqlite.open(path, [V1]), { code: 'database/too-new' });
  const again = Sqlite.open(path, [V1, '']);
  t.deepEqual(again.all('SELECT * FROM later'), []);
  again.close();
});

test('a file that is no database, and one that is damaged, are refused by name', (t) => {
  const text = join(directory, 'text.db');
  writeFileSync(text, 'x'.repeat(5000));
  t.throws(() => Sqlite.open(text, [V1]), { code: 'database/corrupt' });
  const cut = join(directory, 'cut.db');
  Sqlite.open(cut, [V1]).close();
  truncateSync(cut, 5000);
  t.throws(() => Sqlite.open(cut, [V1]).all('SELECT * FROM word'), { code: 'database/corrupt' });
});

test('a folder that is not there is one clear sentence', (t) => {
  t.throws(() => Sqlite.open(join(directory, 'no/where.db'), [V1]), {
    code: 'database/denied',
    message: /no\/where\.db cannot be opened/,
  });
});
