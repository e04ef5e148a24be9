import { randomUUID } from 'node:crypto';

import { CloudvolError } from '../../base/errors.ts';
import type { Sqlite, SqlRow } from '../../base/sqlite.ts';
import type {
  RetentionRun,
  Schedule,
  ScheduleId,
  SchedulePlan,
  ScheduleRetention,
  ScheduleRun,
} from './schedule.ts';
import type { ScheduleRule } from './schedule-rule.ts';

/** A migration of the agent's database. */
export const SCHEDULE_TABLE_SQL = `
  CREATE TABLE schedule (
    id TEXT PRIMARY KEY,
    volume_id TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    rules TEXT NOT NULL,
    max_cloudsnaps INTEGER NOT NULL,
    full INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    handled_ms INTEGER NOT NULL,
    last_run TEXT
  ) STRICT;
`;

/**
 * A later one. Schedules from before keep what they made until their user says otherwise: they were
 * not told that it would be removed. What a schedule has made is forgotten with it.
 */
export const SCHEDULE_RETENTION_SQL = `
  ALTER TABLE schedule ADD COLUMN retention TEXT;
  ALTER TABLE schedule ADD COLUMN last_retention TEXT;
  CREATE TABLE schedule_cloudsnap (
    cloudsnap_id TEXT PRIMARY KEY,
    schedule_id TEXT NOT NULL REFERENCES schedule (id) ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX schedule_cloudsnap_by_schedule ON schedule_cloudsnap (schedule_id);
`;

/** The schedules of this host: durable when a call returns. */
export class ScheduleTable {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  insert(volumeId: string, plan: SchedulePlan, nowMs: number): Schedule {
    const schedule: Schedule = {
      ...plan,
      id: randomUUID() as ScheduleId,
      volumeId,
      createdMs: nowMs,
      handledMs: nowMs,
      lastRun: null,
      lastRetention: null,
    };
    this.#database.run(
      `INSERT INTO schedule (id, volume_id, credential_id, rules, max_cloudsnaps, full,
         retention, created_ms, handled_ms, last_run)
       VALUES (:id, :volume_id, :credential_id, :rules, :max_cloudsnaps, :full,
         :retention, :created_ms, :handled_ms, NULL)`,
      {
        ...planRow(plan),
        id: schedule.id,
        volume_id: volumeId,
        created_ms: nowMs,
        handled_ms: nowMs,
      },
    );
    return schedule;
  }

  /** Changes what the user said. Its times count from now on: none of before is made up for. */
  update(id: ScheduleId, plan: SchedulePlan, nowMs: number): void {
    this.#database.run(
      `UPDATE schedule SET credential_id = :credential_id, rules = :rules,
         max_cloudsnaps = :max_cloudsnaps, full = :full, retention = :retention,
         handled_ms = :handled_ms
       WHERE id = :id`,
      { ...planRow(plan), id, handled_ms: nowMs },
    );
  }

  setHandled(id: ScheduleId, handledMs: number): void {
    this.#database.run('UPDATE schedule SET handled_ms = :handled_ms WHERE id = :id', {
      id,
      handled_ms: handledMs,
    });
  }

  setLastRun(id: ScheduleId, run: ScheduleRun): void {
    this.#database.run('UPDATE schedule SET last_run = :last_run WHERE id = :id', {
      id,
      last_run: JSON.stringify(run),
    });
  }

  setLastRetention(id: ScheduleId, run: RetentionRun): void {
    this.#database.run('UPDATE schedule SET last_retention = :run WHERE id = :id', {
      id,
      run: JSON.stringify(run),
    });
  }

  /** In the order of creation. */
  list(): Schedule[] {
    return this.#database.all('SELECT * FROM schedule ORDER BY rowid').map(fromRow);
  }

  /** @throws CloudvolError `schedule/not-found` */
  find(id: string): Schedule {
    const row = this.#database.get('SELECT * FROM schedule WHERE id = :id', { id });
    if (row) return fromRow(row);
    throw new CloudvolError('schedule/not-found', `there is no schedule ${JSON.stringify(id)}`, {
      hint: 'cloudvol cloudsnap schedules list shows them',
    });
  }

  delete(id: ScheduleId): void {
    this.#database.run('DELETE FROM schedule WHERE id = :id', { id });
  }

  deleteOfVolume(volumeId: string): void {
    this.#database.run('DELETE FROM schedule WHERE volume_id = :volumeId', { volumeId });
  }
}

function planRow(plan: SchedulePlan): SqlRow {
  return {
    credential_id: plan.credentialId,
    rules: JSON.stringify(plan.rules),
    max_cloudsnaps: plan.maxCloudsnaps,
    full: Number(plan.full),
    retention: plan.retention && JSON.stringify(plan.retention),
  };
}

function fromRow(row: Record<string, unknown>): Schedule {
  return {
    id: String(row['id']) as ScheduleId,
    volumeId: String(row['volume_id']),
    credentialId: String(row['credential_id']),
    rules: JSON.parse(String(row['rules'])) as ScheduleRule[],
    maxCloudsnaps: Number(row['max_cloudsnaps']),
    full: row['full'] === 1,
    createdMs: Number(row['created_ms']),
    handledMs: Number(row['handled_ms']),
    retention: parsed(row['retention']) as ScheduleRetention | null,
    lastRun: parsed(row['last_run']) as ScheduleRun | null,
    lastRetention: parsed(row['last_retention']) as RetentionRun | null,
  };
}

/** What this class has written. */
function parsed(column: unknown): unknown {
  return typeof column === 'string' ? JSON.parse(column) : null;
}
