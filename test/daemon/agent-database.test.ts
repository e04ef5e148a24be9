import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';

import { systemClock } from '../../src/base/clock.ts';
import { newCredentialId } from '../../src/base/ids.ts';
import { Sqlite } from '../../src/base/sqlite.ts';
import { openAgentDatabase } from '../../src/daemon/agent-database.ts';
import { CREDENTIAL_TABLE_SQL } from '../../src/secrets/credential-registry.ts';
import { TASK_TABLE_SQL } from '../../src/tasks/task-table.ts';

test('a database of the first version keeps its cluster id and its credentials', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-database-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'agent.db');
  const identity = 'CREATE TABLE identity (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT';
  const first = Sqlite.open(path, [`${identity}; ${CREDENTIAL_TABLE_SQL}; ${TASK_TABLE_SQL}`]);
  first.run(`INSERT INTO identity (key, value) VALUES ('cluster-id', 'c')`);
  const id = newCredentialId();
  const settings = { provider: 'directory', path: '/srv' } as const;
  first.run(
    `INSERT INTO credential (id, name, created_ms, settings) VALUES (:id, 'old', 7, :settings)`,
    { id, settings: JSON.stringify(settings) },
  );
  first.close();

  const database = openAgentDatabase(path, '/unused', systemClock);
  t.is<string, string>(database.clusterId, 'c');
  t.deepEqual(database.credentials.list(), [
    { id, name: 'old', createdMs: 7, settings, secretParts: [] },
  ]);
  t.false(database.secrets.hasPassphrase);
  t.is(statSync(path).mode & 0o777, 0o600);
  await database.secrets.login('x');
  await database.secrets.put('a', 'b');
  database.close();
  const again = openAgentDatabase(path, '/unused', systemClock);
  t.false(again.secrets.isUnlocked);
  await again.secrets.login('x');
  t.is(await again.secrets.get('a'), 'b');
  again.close();
});
