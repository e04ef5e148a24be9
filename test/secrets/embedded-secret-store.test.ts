import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { Sqlite } from '../../src/base/sqlite.ts';
import { EmbeddedSecretStore, SECRET_TABLES_SQL } from '../../src/secrets/embedded-secret-store.ts';

const PASSPHRASE = 'correct horse battery staple';
const CANARY = 'c4n4ry-c4n4ry';

class Lab {
  readonly directory = mkdtempSync(join(tmpdir(), 'cloudvol-secrets-'));
  readonly path = join(this.directory, 'a.db');
  database = this.#open();
  store = new EmbeddedSecretStore(this.database);

  /** As a new process would: nothing is left in memory. */
  restart(): void {
    this.database.close();
    this.database = this.#open();
    this.store = new EmbeddedSecretStore(this.database);
  }

  #open(): Sqlite {
    return Sqlite.open(this.path, [SECRET_TABLES_SQL]);
  }
}

function openLab(t: ExecutionContext): Lab {
  const lab = new Lab();
  t.teardown(() => {
    lab.database.close();
    rmSync(lab.directory, { recursive: true, force: true });
  });
  return lab;
}

const LOCKED = { code: 'secrets/locked' };

test('the first login sets the passphrase; only that one unlocks after a restart', async (t) => {
  const lab = openLab(t);
  t.false(lab.store.hasPassphrase);
  await t.throwsAsync(lab.store.put('a', CANARY), LOCKED);
  t.is(await lab.store.login(PASSPHRASE), 'passphrase-set');
  await lab.store.put('a', CANARY);
  lab.restart();
  t.true(lab.store.hasPassphrase);
  t.false(lab.store.isUnlocked);
  await t.throwsAsync(lab.store.get('a'), LOCKED);
  await t.throwsAsync(lab.store.login('another'), { code: 'secrets/wrong-passphrase' });
  await t.throwsAsync(lab.store.get('a'), LOCKED);
  t.is(await lab.store.login(PASSPHRASE), 'unlocked');
  t.is(await lab.store.get('a'), CANARY);
  t.is(await lab.store.get('b'), undefined);
});

test('a wrong login leaves an unlocked store unlocked; logout locks it', async (t) => {
  const { store } = openLab(t);
  await store.login(PASSPHRASE);
  await store.put('a', CANARY);
  await t.throwsAsync(store.login('another'), { code: 'secrets/wrong-passphrase' });
  t.is(await store.get('a'), CANARY);
  store.logout();
  await t.throwsAsync(store.get('a'), LOCKED);
  t.throws(() => store.checkUnlocked(), LOCKED);
});

test('of two first logins at once one sets the passphrase, the other has to know it', async (t) => {
  const { store } = openLab(t);
  const [first, second] = await Promise.allSettled([store.login(PASSPHRASE), store.login('b')]);
  t.is(first.status, 'fulfilled');
  t.like(second, { status: 'rejected', reason: { code: 'secrets/wrong-passphrase' } });
});

test('names are listed and secrets deleted without a login', async (t) => {
  const lab = openLab(t);
  await lab.store.login(PASSPHRASE);
  await lab.store.put('b', '1');
  await lab.store.put('a', '2');
  await lab.store.put('a', '3');
  t.is(await lab.store.get('a'), '3');
  lab.restart();
  t.deepEqual(await lab.store.list(), ['a', 'b']);
  await lab.store.delete('a');
  await lab.store.delete('a');
  t.deepEqual(await lab.store.list(), ['b']);
});

test('neither secrets nor passphrases are in the files of the database', async (t) => {
  const lab = openLab(t);
  await lab.store.login(PASSPHRASE);
  await lab.store.put('a', CANARY);
  const stored = readdirSync(lab.directory).map((name) =>
    readFileSync(join(lab.directory, name)).toString('latin1'),
  );
  t.true(stored.join('').includes('argon2id'), 'the files are those of the store');
  for (const text of stored) {
    t.false(text.includes(CANARY));
    t.false(text.includes(PASSPHRASE));
  }
});

test('a secret that was changed, cut or moved to another name is refused', async (t) => {
  const lab = openLab(t);
  await lab.store.login(PASSPHRASE);
  await lab.store.put('a', CANARY);
  await lab.store.put('b', 'other');
  const sealed = lab.database.get(`SELECT sealed FROM secret WHERE name = 'a'`)?.['sealed'];
  t.true(sealed instanceof Uint8Array);
  if (!(sealed instanceof Uint8Array)) return;
  const flipped = Uint8Array.from(sealed);
  flipped[14] = (flipped[14] ?? 0) ^ 1;
  const bad = [sealed, sealed.subarray(0, 20), new Uint8Array()];
  for (const value of bad) {
    lab.database.run(`UPDATE secret SET sealed = :value WHERE name = 'b'`, { value });
    await t.throwsAsync(lab.store.get('b'), { code: 'secrets/corrupt', message: /secret b/ });
  }
  lab.database.run(`UPDATE secret SET sealed = :flipped WHERE name = 'a'`, { flipped });
  await t.throwsAsync(lab.store.get('a'), { code: 'secrets/corrupt' });
});

test('weakened or inflated parameters of the lock are refused before their use', async (t) => {
  const lab = openLab(t);
  await lab.store.login(PASSPHRASE);
  const good = JSON.parse(
    String(lab.database.get('SELECT derivation FROM secret_lock')?.['derivation']),
  ) as { kdf: object };
  const { kdf } = good;
  const changes = [
    { kdf: { ...kdf, memoryKib: 1024 } },
    { kdf: { ...kdf, memoryKib: 1 << 30 } },
    { kdf: { ...kdf, passes: 1 } },
    { kdf: { name: 'scrypt', n: 2, r: 8, p: 1 } },
    { kdf: { name: 'x' } },
    { kdf: undefined },
    { salt: '' },
  ];
  for (const text of [...changes.map((one) => JSON.stringify({ ...good, ...one })), 'null', '{']) {
    lab.database.run('UPDATE secret_lock SET derivation = :text', { text });
    lab.restart();
    await t.throwsAsync(lab.store.login(PASSPHRASE), { code: 'secrets/corrupt' }, text);
  }
});

test('an empty passphrase is none', async (t) => {
  const { store } = openLab(t);
  await t.throwsAsync(store.login(''), { code: 'secrets/bad-passphrase' });
  t.false(store.hasPassphrase);
});
