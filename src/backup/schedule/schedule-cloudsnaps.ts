import type { Sqlite } from '../../base/sqlite.ts';
import type { ScheduleId } from './schedule.ts';

/**
 * Which cloudsnaps a schedule has made. Here and not in their manifests: it concerns only the host
 * that has the schedule, and is lost no sooner than the schedule itself. Whatever is not on record
 * is never removed by a schedule.
 */
export class ScheduleCloudsnaps {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /**
   * Before the cloudsnap is visible: one that appears while the host dies is on record. Nothing for
   * a schedule that is gone.
   */
  note(scheduleId: ScheduleId, cloudsnapId: string): void {
    this.#database.run(
      `INSERT OR REPLACE INTO schedule_cloudsnap (cloudsnap_id, schedule_id)
       SELECT :cloudsnapId, id FROM schedule WHERE id = :scheduleId`,
      { cloudsnapId, scheduleId },
    );
  }

  of(scheduleId: ScheduleId): ReadonlySet<string> {
    const rows = this.#database.all(
      'SELECT cloudsnap_id FROM schedule_cloudsnap WHERE schedule_id = :scheduleId',
      { scheduleId },
    );
    return new Set(rows.map((row) => String(row['cloudsnap_id'])));
  }

  /** It was removed. */
  forget(cloudsnapId: string): void {
    this.#database.run('DELETE FROM schedule_cloudsnap WHERE cloudsnap_id = :cloudsnapId', {
      cloudsnapId,
    });
  }
}
