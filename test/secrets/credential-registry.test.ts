import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';

import { systemClock } from '../../src/base/clock.ts';
import { Sqlite } from '../../src/base/sqlite.ts';
import { newCredentialId } from '../../src/base/ids.ts';
import {
  CREDENTIAL_SECRETS_SQL,
  CREDENTIAL_TABLE_SQL,
  CredentialRegistry,
} from '../../src/secrets/credential-registry.ts';
import type { ProviderSettings } from '../../src/secrets/credential.ts';

const root = mkdtempSync(join(tmpdir(), 'cloudvol-credentials-'));
test.after.always(() => rmSync(root, { recursive: true, force: true }));

const DIRECTORY = { provider: 'directory', path: '/srv/snaps' } as const;
const fresh = (name: string, settings: ProviderSettings = DIRECTORY) => ({
  id: newCredentialId(),
  name,
  settings,
  secretParts: [],
});

let databases = 0;
function openRegistry(path = join(root, `${++databases}.db`)) {
  const database = Sqlite.open(path, [CREDENTIAL_TABLE_SQL, CREDENTIAL_SECRETS_SQL]);
  const registry = new CredentialRegistry(database, systemClock);
  return { registry, path, close: () => database.close() };
}

test('a credential is found by UUID and by name, also after a restart', (t) => {
  const { registry, path, close } = openRegistry();
  const made = registry.create(fresh('mine'));
  close();
  const again = openRegistry(path);
  t.deepEqual(again.registry.find('mine'), made);
  t.deepEqual(again.registry.find(made.id), made);
  t.throws(() => again.registry.find('other'), { code: 'credential/not-found' });
  again.close();
});

test('the only credential need not be named; several have to be', (t) => {
  const { registry, close } = openRegistry();
  t.throws(() => registry.find(), { code: 'credential/none' });
  const first = registry.create(fresh('first'));
  t.is(registry.find().id, first.id);
  registry.create(fresh('second'));
  t.throws(() => registry.find(), { code: 'credential/ambiguous', message: /first, second/ });
  registry.delete(first.id);
  t.is(registry.find().name, 'second');
  close();
});

test('a name is given once, and what was created stays as it is', (t) => {
  const { registry, close } = openRegistry();
  const made = registry.create(fresh('mine'));
  t.throws(() => registry.create(fresh('mine', { provider: 'directory', path: '/other' })), {
    code: 'credential/exists',
  });
  t.deepEqual(registry.list(), [made]);
  close();
});

test('a name that is the UUID of another credential does not capture it', (t) => {
  const { registry, close } = openRegistry();
  const first = registry.create(fresh('first'));
  registry.create(fresh(first.id));
  t.is(registry.find(first.id).name, 'first');
  close();
});

test('a bad name is refused before anything is stored', (t) => {
  const { registry, close } = openRegistry();
  t.throws(() => registry.create(fresh('../x')), { code: 'credential/bad-name' });
  t.deepEqual(registry.list(), []);
  close();
});

test('the speed of its store is kept with a credential, and nothing else changes', (t) => {
  const { registry, path, close } = openRegistry();
  const made = registry.create(fresh('mine'));
  t.is(made.writeBytesPerSecond, undefined);
  registry.noteWriteSpeed(made.id, 12.5);
  close();
  const again = openRegistry(path);
  t.deepEqual(again.registry.find('mine'), { ...made, writeBytesPerSecond: 12.5 });
  again.close();
});
