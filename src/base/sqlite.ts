import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

import { CloudvolError, type ErrorCode } from './errors.ts';

export type SqlRow = Readonly<Record<string, SQLInputValue>>;

/** SQLite's result codes, https://www.sqlite.org/rescode.html; the low byte of an extended code. */
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

const CAUSES: ReadonlyMap<number, readonly [code: ErrorCode, words: string, hint: string]> =
  new Map([
    [SQLITE_BUSY, ['database/busy', 'is in use by another process', 'end the other process']],
    [SQLITE_READONLY, ['database/denied', 'cannot be written', 'check its owner and mode']],
    [SQLITE_IOERR, ['database/failed', 'cannot be read or written', 'check the disk below it']],
    [SQLITE_CORRUPT, ['database/corrupt', 'is damaged', 'put a copy of it back']],
    [
      SQLITE_FULL,
      ['database/no-space', 'cannot grow: no space left', 'free space on its file system'],
    ],
    [
      SQLITE_CANTOPEN,
      ['database/denied', 'cannot be opened', 'check that its folder can be written'],
    ],
    [SQLITE_NOTADB, ['database/corrupt', 'is not a database', 'move it away or put a copy back']],
  ]);

/**
 * A small durable database: WAL, and `synchronous=FULL`, so that a statement that returned survives
 * a power cut. Calls are synchronous: for a few small rows per event, never for the data path.
 */
export class Sqlite {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
  }

  /**
   * @param migrations SQL that leads from schema version n to n + 1; only ever added to.
   * @throws CloudvolError `database/*`; `database/too-new` when a later cloudvol has written the
   * file.
   */
  static open(path: string, migrations: readonly string[]): Sqlite {
    const sqlite = translated(path, () => new Sqlite(path, new DatabaseSync(path)));
    try {
      sqlite.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;');
      sqlite.#migrate(migrations);
      return sqlite;
    } catch (error) {
      sqlite.close();
      throw error;
    }
  }

  exec(sql: string): void {
    translated(this.path, () => this.#database.exec(sql));
  }

  run(sql: string, row: SqlRow = {}): void {
    translated(this.path, () => this.#prepare(sql).run(row));
  }

  all(sql: string, row: SqlRow = {}): Record<string, unknown>[] {
    return translated(this.path, () => this.#prepare(sql).all(row));
  }

  get(sql: string, row: SqlRow = {}): Record<string, unknown> | undefined {
    return translated(this.path, () => this.#prepare(sql).get(row));
  }

  /** All of `work` or nothing. */
  transaction<T>(work: () => T): T {
    this.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has already rolled back by itself after some errors (a full disk, for one).
      if (this.#database.isTransaction) this.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    translated(this.path, () => this.#database.close());
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #migrate(migrations: readonly string[]): void {
    const version = Number(this.get('PRAGMA user_version')?.['user_version'] ?? 0);
    if (version > migrations.length) {
      throw new CloudvolError(
        'database/too-new',
        `${this.path} has schema version ${version}, this cloudvol knows ${migrations.length}`,
        { hint: 'run the cloudvol that wrote it, or a later one' },
      );
    }
    for (const [index, sql] of migrations.entries()) {
      if (index < version) continue;
      this.transaction(() => this.exec(`${sql}; PRAGMA user_version=${index + 1}`));
    }
  }
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !('errcode' in error)) throw error;
    const [code, words, hint] = CAUSES.get(Number(error.errcode) & 0xff) ?? [
      'database/failed' as const,
      `gave an error (${error.message})`,
      'see the log of the agent',
    ];
    throw new CloudvolError(code, `the database ${path} ${words}`, { hint, cause: error });
  }
}
