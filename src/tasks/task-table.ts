import type { Sqlite, SqlRow } from '../base/sqlite.ts';
import type { TaskId } from '../base/ids.ts';
import { TASK_KINDS, TASK_STATES, type TaskRecord } from './task-api.ts';

/** Ended tasks kept; about 5 MB, and years of daily cloudsnaps of a dozen volumes. */
export const MAX_HISTORY = 10_000;

export interface TaskFilter {
  /** Id or name of the volume. */
  readonly volume?: string;
  /** Ended at this time or later, or not ended at all. */
  readonly endedSinceMs?: number;
}

/** Migration 0 → 1 of the tasks' part of the database. `ordinal` is the order of submission. */
export const TASK_TABLE_SQL = `
  CREATE TABLE task (
    ordinal INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    volume_id TEXT NOT NULL,
    volume_name TEXT NOT NULL,
    cloudsnap_id TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    bytes_total INTEGER NOT NULL,
    bytes_done INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    ended_ms INTEGER,
    info TEXT NOT NULL,
    result TEXT NOT NULL
  ) STRICT;
  CREATE INDEX task_by_end ON task (ended_ms);
`;

/** What `update` writes; SQLite refuses parameters that a statement does not have. */
const CHANGING = [
  'id',
  'state',
  'cloudsnap_id',
  'bytes_total',
  'bytes_done',
  'started_ms',
  'ended_ms',
  'info',
  'result',
] as const;

/** Task records in the database: the history. Knows no running task. */
export class TaskTable {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  insert(record: TaskRecord): void {
    this.#database.run(
      `INSERT INTO task (id, kind, state, volume_id, volume_name, cloudsnap_id, credential_id,
         bytes_total, bytes_done, created_ms, started_ms, ended_ms, info, result)
       VALUES (:id, :kind, :state, :volume_id, :volume_name, :cloudsnap_id, :credential_id,
         :bytes_total, :bytes_done, :created_ms, :started_ms, :ended_ms, :info, :result)`,
      toRow(record),
    );
  }

  update(record: TaskRecord): void {
    const row = toRow(record);
    const changing = Object.fromEntries(CHANGING.map((column) => [column, row[column] ?? null]));
    this.#database.run(
      `UPDATE task SET state = :state, cloudsnap_id = :cloudsnap_id, bytes_total = :bytes_total,
         bytes_done = :bytes_done, started_ms = :started_ms, ended_ms = :ended_ms, info = :info,
         result = :result WHERE id = :id`,
      changing,
    );
  }

  find(id: string): TaskRecord | undefined {
    const row = this.#database.get('SELECT * FROM task WHERE id = :id', { id });
    return row && fromRow(row);
  }

  /** In the order of submission. */
  list({ volume, endedSinceMs }: TaskFilter = {}): TaskRecord[] {
    const rows = this.#database.all(
      `SELECT * FROM task
        WHERE (:volume IS NULL OR volume_id = :volume OR volume_name = :volume)
          AND (ended_ms IS NULL OR ended_ms >= :since) ORDER BY ordinal`,
      { volume: volume ?? null, since: endedSinceMs ?? 0 },
    );
    return rows.map(fromRow);
  }

  unended(): TaskRecord[] {
    return this.#database
      .all('SELECT * FROM task WHERE ended_ms IS NULL ORDER BY ordinal')
      .map(fromRow);
  }

  /** Forgets the oldest ended tasks beyond MAX_HISTORY. */
  prune(): void {
    this.#database.run(
      `DELETE FROM task WHERE ended_ms IS NOT NULL AND ordinal <=
         (SELECT ordinal FROM task WHERE ended_ms IS NOT NULL
           ORDER BY ordinal DESC LIMIT 1 OFFSET :kept)`,
      { kept: MAX_HISTORY },
    );
  }
}

function toRow(record: TaskRecord): Record<string, SqlRow[string]> {
  return {
    id: record.id,
    kind: record.kind,
    state: record.state,
    volume_id: record.volumeId,
    volume_name: record.volumeName,
    cloudsnap_id: record.cloudsnapId,
    credential_id: record.credentialId,
    bytes_total: record.bytesTotal,
    bytes_done: record.bytesDone,
    created_ms: record.createdMs,
    started_ms: record.startedMs,
    ended_ms: record.endedMs,
    info: JSON.stringify(record.info),
    result: JSON.stringify(record.result),
  };
}

function fromRow(row: Record<string, unknown>): TaskRecord {
  const word = <T extends string>(words: readonly T[], column: string): T => {
    const found = words.find((known) => known === row[column]);
    if (found === undefined) throw new TypeError(`task.${column} is ${String(row[column])}`);
    return found;
  };
  const time = (column: string) => (row[column] === null ? null : Number(row[column]));
  return {
    id: String(row['id']) as TaskId,
    kind: word(TASK_KINDS, 'kind'),
    state: word(TASK_STATES, 'state'),
    volumeId: String(row['volume_id']),
    volumeName: String(row['volume_name']),
    cloudsnapId: String(row['cloudsnap_id']),
    credentialId: String(row['credential_id']),
    bytesTotal: Number(row['bytes_total']),
    bytesDone: Number(row['bytes_done']),
    createdMs: Number(row['created_ms']),
    startedMs: time('started_ms'),
    endedMs: time('ended_ms'),
    info: JSON.parse(String(row['info'])) as string[],
    result: JSON.parse(String(row['result'])) as TaskRecord['result'],
  };
}
