import { CloudvolError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import type { Sqlite } from '../base/sqlite.ts';
import { openSealed, seal } from './seal.ts';
import type { SecretStore } from './secret-store.ts';
import { makeLock, openLock, type StoreLock } from './store-lock.ts';

/**
 * Migration 1 → 2 of the secret store's part of the database. One row of
 * `secret_lock`: how the passphrase becomes a key, and the store's own key sealed under that.
 */
export const SECRET_TABLES_SQL = `
  CREATE TABLE secret_lock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    derivation TEXT NOT NULL,
    sealed_key BLOB NOT NULL
  ) STRICT;
  CREATE TABLE secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
`;

const SECRET_PURPOSE = 'cloudvol secret v1';

/** What `login` did. */
export type Login = 'passphrase-set' | 'unlocked';

/**
 * Secrets in the agent's database, each sealed with AES-256-GCM by the store's random key, which is
 * itself sealed under a key that only the passphrase gives. The key is in memory between login and
 * logout, nowhere else: an agent that starts, also after a crash, has it no more.
 */
export class EmbeddedSecretStore implements SecretStore {
  readonly #database: Sqlite;
  /** One login at a time: each takes a core and 64 MiB for a moment. */
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

  put(name: string, value: string): Promise<void> {
    return this.putAll(new Map([[name, value]]));
  }

  async putAll(values: ReadonlyMap<string, string>): Promise<void> {
    const key = this.#unlockedKey();
    this.#database.transaction(() => {
      for (const [name, value] of values) {
        const sealed = seal(key, Buffer.from(value, 'utf8'), purposeOf(name));
        this.#database.run(
          `INSERT INTO secret (name, sealed) VALUES (:name, :sealed)
           ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed`,
          { name, sealed },
        );
      }
    });
  }

  async list(): Promise<string[]> {
    return this.#database
      .all('SELECT name FROM secret ORDER BY name')
      .map(({ name }) => String(name));
  }

  async delete(name: string): Promise<void> {
    this.#database.run('DELETE FROM secret WHERE name = :name', { name });
  }

  async #unlock(passphrase: string, lock: StoreLock): Promise<Login> {
    const key = await openLock(lock, passphrase);
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
    const { lock, key } = await makeLock(passphrase);
    this.#database.run(
      'INSERT INTO secret_lock (id, derivation, sealed_key) VALUES (1, :derivation, :sealedKey)',
      { derivation: lock.derivation, sealedKey: lock.sealedKey },
    );
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

  #readLock(): StoreLock | undefined {
    const row = this.#database.get('SELECT derivation, sealed_key FROM secret_lock');
    return row && { derivation: String(row['derivation']), sealedKey: bytesOf(row['sealed_key']) };
  }
}

function emptyPassphrase(): CloudvolError {
  return new CloudvolError('secrets/bad-passphrase', 'the passphrase is empty', {
    hint: 'give one of several words',
  });
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
