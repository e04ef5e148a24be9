import { randomBytes } from 'node:crypto';

import { CloudvolError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import type { Sqlite } from '../base/sqlite.ts';
import { openSealed, seal, KEY_BYTES } from './seal.ts';
import type { SecretStore } from './secret-store.ts';
import { newStretching, readStretching, stretchPassphrase } from './stretch-passphrase.ts';

/**
 * Migration 1 → 2 of the secret store's part of the database. One row of `secret_lock`: how the
 * passphrase becomes a key, and the store's own key sealed under that.
 */
export const SECRET_TABLES_SQL = `
  CREATE TABLE secret_lock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    stretching TEXT NOT NULL,
    sealed_key BLOB NOT NULL
  ) STRICT;
  CREATE TABLE secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
`;

const LOCK_PURPOSE = 'cloudvol secret store key v1';
const SECRET_PURPOSE = 'cloudvol secret v1';

/** What `login` did. */
export type Login = 'passphrase-set' | 'unlocked';

/**
 * Secrets in the agent's database, each sealed with AES-256-GCM under a random key, which is itself
 * sealed under a key that only the passphrase gives. The key is in memory between login and logout,
 * nowhere else: an agent that starts, also after a crash, has it no more.
 */
export class EmbeddedSecretStore implements SecretStore {
  readonly #database: Sqlite;
  /** One login at a time: each takes a core and 128 MiB for a moment. */
  readonly #logins = new Limiter(1);
  #key: Buffer | undefined;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  get isUnlocked(): boolean {
    return this.#key !== undefined;
  }

  /** Whether a first login has set the passphrase. */
  get hasPassphrase(): boolean {
    return this.#readLock() !== undefined;
  }

  /**
   * Unlocks the store; the first one ever sets its passphrase.
   * @throws CloudvolError `secrets/wrong-passphrase`, `secrets/bad-passphrase`, which leave the
   * store as it was
   */
  login(passphrase: string): Promise<Login> {
    if (passphrase === '') return Promise.reject(emptyPassphrase());
    return this.#logins.run(async () => {
      const lock = this.#readLock();
      return lock ? this.#unlock(passphrase, lock) : this.#setPassphrase(passphrase);
    });
  }

  /** Wipes the key. */
  logout(): void {
    this.#key?.fill(0);
    this.#key = undefined;
  }

  checkUnlocked(): void {
    this.#unlockedKey();
  }

  async get(name: string): Promise<string | undefined> {
    const key = this.#unlockedKey();
    const row = this.#database.get('SELECT sealed FROM secret WHERE name = :name', { name });
    if (!row) return undefined;
    const plain = openSealed(key, bytesOf(row['sealed']), purposeOf(name));
    if (plain) return plain.toString('utf8');
    throw new CloudvolError('secrets/corrupt', `the secret ${name} is not what was stored`, {
      hint: 'delete it and store it again; look who else writes to the state directory',
    });
  }

  async put(name: string, value: string): Promise<void> {
    const sealed = seal(this.#unlockedKey(), Buffer.from(value, 'utf8'), purposeOf(name));
    this.#database.run(
      `INSERT INTO secret (name, sealed) VALUES (:name, :sealed)
       ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed`,
      { name, sealed },
    );
  }

  async list(): Promise<string[]> {
    return this.#database
      .all('SELECT name FROM secret ORDER BY name')
      .map(({ name }) => String(name));
  }

  async delete(name: string): Promise<void> {
    this.#database.run('DELETE FROM secret WHERE name = :name', { name });
  }

  async #unlock(passphrase: string, lock: SecretLock): Promise<Login> {
    const stretched = await stretchPassphrase(passphrase, readStretching(lock.stretching));
    const key = openSealed(stretched, lock.sealedKey, LOCK_PURPOSE);
    stretched.fill(0);
    if (!key) {
      throw new CloudvolError(
        'secrets/wrong-passphrase',
        'the passphrase of the secret store is another one',
        { hint: 'log in with the one that the first login set' },
      );
    }
    this.#hold(key);
    return 'unlocked';
  }

  async #setPassphrase(passphrase: string): Promise<Login> {
    const stretching = newStretching();
    const stretched = await stretchPassphrase(passphrase, stretching);
    const key = randomBytes(KEY_BYTES);
    this.#database.run(
      'INSERT INTO secret_lock (id, stretching, sealed_key) VALUES (1, :stretching, :sealed)',
      {
        stretching: JSON.stringify(stretching),
        sealed: seal(stretched, key, LOCK_PURPOSE),
      },
    );
    stretched.fill(0);
    this.#hold(key);
    return 'passphrase-set';
  }

  #hold(key: Buffer): void {
    this.logout();
    this.#key = key;
  }

  #unlockedKey(): Buffer {
    if (this.#key) return this.#key;
    throw new CloudvolError('secrets/locked', 'the secret store is locked', {
      hint: 'cloudvol secrets kvdb login',
    });
  }

  #readLock(): SecretLock | undefined {
    const row = this.#database.get('SELECT stretching, sealed_key FROM secret_lock');
    return row && { stretching: String(row['stretching']), sealedKey: bytesOf(row['sealed_key']) };
  }
}

function emptyPassphrase(): CloudvolError {
  return new CloudvolError('secrets/bad-passphrase', 'the passphrase is empty', {
    hint: 'give one of several words',
  });
}

interface SecretLock {
  readonly stretching: string;
  readonly sealedKey: Uint8Array;
}

/** A record that was moved under another name does not open. */
function purposeOf(name: string): string {
  return `${SECRET_PURPOSE} ${name}`;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new CloudvolError('secrets/corrupt', 'a record of the secret store is no bytes', {
    hint: 'put a copy of the state directory back',
  });
}
