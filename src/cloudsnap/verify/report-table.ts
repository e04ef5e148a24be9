import type { Sqlite } from '../../base/sqlite.ts';
import type { VerifyReport } from './verify-report.ts';

/** Of the newest verifications; each is some KiB, and more only where much is damaged. */
const MAX_KEPT = 1000;

/** One step of the agent's database. `ordinal` is the order in which they ended. */
export const REPORT_TABLE_SQL = `
  CREATE TABLE verification (
    ordinal INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    report TEXT NOT NULL
  ) STRICT;
`;

/** What verifications found, by their tasks. */
export class ReportTable {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  put(taskId: string, report: VerifyReport): void {
    this.#database.run(
      'INSERT OR REPLACE INTO verification (task_id, report) VALUES (:taskId, :report)',
      { taskId, report: JSON.stringify(report) },
    );
    this.#database.run(
      `DELETE FROM verification WHERE ordinal <=
         (SELECT ordinal FROM verification ORDER BY ordinal DESC LIMIT 1 OFFSET :kept)`,
      { kept: MAX_KEPT },
    );
  }

  find(taskId: string): VerifyReport | undefined {
    const row = this.#database.get('SELECT report FROM verification WHERE task_id = :taskId', {
      taskId,
    });
    return row && (JSON.parse(String(row['report'])) as VerifyReport);
  }
}
