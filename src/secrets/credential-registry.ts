import type { Clock } from '../base/clock.ts';
import { CloudvolError } from '../base/errors.ts';
import type { CredentialId } from '../base/ids.ts';
import { checkName } from '../base/name.ts';
import type { Sqlite } from '../base/sqlite.ts';
import type { SecretPart } from '../config/provider-fields.ts';
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

/**
 * Migration 1 → 2: which parts of a credential lie in the secret store, and how fast its store was
 * last written.
 */
export const CREDENTIAL_SECRETS_SQL = `
  ALTER TABLE credential ADD COLUMN secret_parts TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE credential ADD COLUMN write_bytes_per_second REAL;
`;

/** What a credential is made of. */
export type NewCredential = Pick<Credential, 'id' | 'name' | 'settings' | 'secretParts'>;

/** The credentials of this host: created once, never changed, found by id or name. */
export class CredentialRegistry {
  readonly #database: Sqlite;
  readonly #clock: Clock;

  constructor(database: Sqlite, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * @param credential its settings were checked by `splitCredential`
   * @throws CloudvolError `credential/exists`, `credential/bad-name`
   */
  create({ id, name, settings, secretParts }: NewCredential): Credential {
    this.checkNew(name);
    const createdMs = this.#clock.nowMs();
    this.#database.run(
      `INSERT INTO credential (id, name, created_ms, settings, secret_parts)
       VALUES (:id, :name, :created_ms, :settings, :secret_parts)`,
      {
        id,
        name,
        created_ms: createdMs,
        settings: JSON.stringify(settings),
        secret_parts: JSON.stringify(secretParts),
      },
    );
    return { id, name, createdMs, settings, secretParts };
  }

  /** Whether `create` would take this name. @throws what `create` throws */
  checkNew(name: string): void {
    checkName('credential', name);
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

  /** Keeps what a measurement found. */
  noteWriteSpeed(id: CredentialId, bytesPerSecond: number): void {
    this.#database.run(
      'UPDATE credential SET write_bytes_per_second = :bytesPerSecond WHERE id = :id',
      { id, bytesPerSecond },
    );
  }
}

function theOnlyOne(all: readonly Credential[]): Credential {
  const [only, ...others] = all;
  if (!only) {
    throw new CloudvolError('credential/none', 'there is no credential', {
      hint: 'create one: cloudvol credentials create --provider s3|azure|google|directory NAME',
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
  const speed = row['write_bytes_per_second'] ?? null;
  return {
    id: String(row['id']) as CredentialId,
    name: String(row['name']),
    createdMs: Number(row['created_ms']),
    settings: JSON.parse(String(row['settings'])) as ProviderSettings,
    secretParts: JSON.parse(String(row['secret_parts'])) as SecretPart[],
    ...(speed !== null && { writeBytesPerSecond: Number(speed) }),
  };
}
