import { isAbsolute } from 'node:path';

import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import { newCredentialId, type CredentialId } from '../base/ids.ts';
import { checkName } from '../base/name.ts';
import type { Sqlite } from '../base/sqlite.ts';
import type { Credential, ProviderSettings } from './credential.ts';

/** Migration 0 → 1 of the credentials' part of the database. */
export const CREDENTIAL_TABLE_SQL = `
  CREATE TABLE credential (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    settings TEXT NOT NULL
  ) STRICT;
`;

/** The credentials of this host: created once, never changed, found by id or name. */
export class CredentialRegistry {
  readonly #database: Sqlite;
  readonly #clock: Clock;

  constructor(database: Sqlite, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** @throws CloudvolError `credential/exists`, `credential/bad-name`, `credential/bad-path` */
  create(name: string, settings: ProviderSettings): Credential {
    this.checkNew(name, settings);
    const createdMs = this.#clock.nowMs();
    const credential: Credential = { id: newCredentialId(), name, createdMs, settings };
    this.#database.run(
      `INSERT INTO credential (id, name, created_ms, settings)
       VALUES (:id, :name, :created_ms, :settings)`,
      { id: credential.id, name, created_ms: createdMs, settings: JSON.stringify(settings) },
    );
    return credential;
  }

  /** Whether `create` would take this. @throws what `create` throws */
  checkNew(name: string, settings: ProviderSettings): void {
    checkName('credential', name);
    if (!isAbsolute(settings.path) || settings.path.includes('\0')) {
      throw new CloudvolError(
        'credential/bad-path',
        `${JSON.stringify(settings.path)} is not an absolute path`,
        { hint: 'give --path a directory such as /srv/cloudsnaps' },
      );
    }
    const other = this.list().find((known) => known.name === name);
    if (!other) return;
    throw new CloudvolError('credential/exists', `there is already a credential named ${name}`, {
      hint: 'a credential cannot be changed: delete it first, or choose another name',
      details: { id: other.id },
    });
  }

  /** In the order of creation. */
  list(): Credential[] {
    return this.#database.all('SELECT * FROM credential ORDER BY rowid').map(fromRow);
  }

  /**
   * By UUID or name; without either, the only one there is.
   * @throws CloudvolError `credential/not-found`, `credential/none`, `credential/ambiguous`
   */
  find(reference?: string): Credential {
    const all = this.list();
    if (reference === undefined) return theOnlyOne(all);
    // The UUID first: a name that looks like another's UUID must not capture it.
    const found =
      all.find(({ id }) => id === reference) ?? all.find(({ name }) => name === reference);
    if (found) return found;
    throw new CloudvolError(
      'credential/not-found',
      `there is no credential ${JSON.stringify(reference)}`,
      {
        hint: 'cloudvol credentials list shows them',
      },
    );
  }

  delete(id: CredentialId): void {
    this.#database.run('DELETE FROM credential WHERE id = :id', { id });
  }
}

function theOnlyOne(all: readonly Credential[]): Credential {
  const [only, ...others] = all;
  if (!only) {
    throw new CloudvolError('credential/none', 'there is no credential', {
      hint: 'create one: cloudvol credentials create --provider directory --path DIR NAME',
    });
  }
  if (others.length === 0) return only;
  const names = all.map(({ name }) => name);
  throw new CloudvolError(
    'credential/ambiguous',
    `there are ${all.length} credentials (${names.join(', ')})`,
    { hint: 'say which one with --cred-id', details: { names } },
  );
}

function fromRow(row: Record<string, unknown>): Credential {
  return {
    id: String(row['id']) as CredentialId,
    name: String(row['name']),
    createdMs: Number(row['created_ms']),
    settings: JSON.parse(String(row['settings'])) as ProviderSettings,
  };
}
