import test from 'ava';

import { systemClock } from '../../src/base/clock.ts';
import { newCredentialId } from '../../src/base/ids.ts';
import { Sqlite } from '../../src/base/sqlite.ts';
import {
  CREDENTIAL_SECRETS_SQL,
  CREDENTIAL_TABLE_SQL,
  CredentialRegistry,
} from '../../src/secrets/credential-registry.ts';
import { CredentialVault } from '../../src/secrets/credential-vault.ts';
import { secretNameOf } from '../../src/secrets/credential.ts';
import { EmbeddedSecretStore, SECRET_TABLES_SQL } from '../../src/secrets/embedded-secret-store.ts';

const PLAIN = { settings: { provider: 'directory', path: '/srv' }, secrets: {} } as const;
const SECRET = { ...PLAIN, secrets: { passphrase: 'p' } } as const;

function openVault() {
  const database = Sqlite.open(':memory:', [
    CREDENTIAL_TABLE_SQL,
    CREDENTIAL_SECRETS_SQL,
    SECRET_TABLES_SQL,
  ]);
  const registry = new CredentialRegistry(database, systemClock);
  const store = new EmbeddedSecretStore(database);
  return { registry, store, vault: new CredentialVault(registry, store) };
}

test('a credential without secrets is made and used without a login', async (t) => {
  const { vault, registry } = openVault();
  const made = await vault.create('plain', PLAIN);
  t.deepEqual(await vault.secretsOf(registry.find('plain')), {});
  await vault.delete(made);
  t.deepEqual(registry.list(), []);
});

test('one with secrets needs a login to be made and to be used', async (t) => {
  const { vault, registry, store } = openVault();
  await t.throwsAsync(vault.create('mine', SECRET), { code: 'secrets/locked' });
  t.throws(() => vault.checkNew('mine', SECRET), { code: 'secrets/locked' });
  t.deepEqual(registry.list(), []);
  await store.login('x');
  const made = await vault.create('mine', SECRET);
  t.deepEqual(made.secretParts, ['passphrase']);
  t.deepEqual(await vault.secretsOf(made), { passphrase: 'p' });
  store.logout();
  await t.throwsAsync(vault.secretsOf(made), { code: 'secrets/locked' });
  await vault.delete(made);
  t.deepEqual(await store.list(), []);
});

test('a create that fails leaves no secret behind', async (t) => {
  const { vault, store } = openVault();
  await store.login('x');
  const both = await Promise.allSettled([vault.create('a', SECRET), vault.create('a', SECRET)]);
  t.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  t.is((await store.list()).length, 1);
});

test('what a crash between secret and credential left is swept, other secrets stay', async (t) => {
  const { vault, store } = openVault();
  await store.login('x');
  const made = await vault.create('a', SECRET);
  await store.put(secretNameOf(newCredentialId()), '{}');
  await store.put('of-a-user', 'y');
  store.logout();
  await vault.sweep();
  t.deepEqual(await store.list(), [secretNameOf(made.id), 'of-a-user'].sort());
});

test('a credential whose secrets were taken away says so', async (t) => {
  const { vault, store } = openVault();
  await store.login('x');
  const made = await vault.create('a', SECRET);
  await store.delete(secretNameOf(made.id));
  await t.throwsAsync(vault.secretsOf(made), { code: 'secrets/missing', message: /credential a / });
});

test('a new passphrase is set for all of some credentials, or for none', async (t) => {
  const { vault, store } = openVault();
  await store.login('x');
  const [a, b] = [await vault.create('a', SECRET), await vault.create('b', SECRET)];
  await vault.setPassphrase([a, b], 'new');
  t.deepEqual(await vault.secretsOf(b), { passphrase: 'new' });
  await store.delete(secretNameOf(b.id));
  await t.throwsAsync(vault.setPassphrase([a, b], 'newer'), { code: 'secrets/missing' });
  t.deepEqual(await vault.secretsOf(a), { passphrase: 'new' });
  store.logout();
  await t.throwsAsync(vault.setPassphrase([a], 'newer'), { code: 'secrets/locked' });
});
