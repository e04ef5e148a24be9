import type { Clock } from '../base/clock.ts';
import type { Sqlite, SqlRow } from '../base/sqlite.ts';
import { parseCloudsnapId } from '../format/cloudsnap-id.ts';
import type { DamagedKind } from './verify/verify-report.ts';

/** An object of which right bytes could not be had. */
export interface DamagedObject {
  readonly repositoryId: string;
  /** Of the volume whose cloudsnaps it belongs to. */
  readonly volumeId: string;
  readonly kind: DamagedKind;
  /** Its key. */
  readonly object: string;
  /** The cloudsnap that wrote it. */
  readonly owner: string;
  readonly finding: string;
  /** Cloudsnaps that it hurts, as far as known. */
  readonly cloudsnaps: readonly string[];
}

export interface DamageRecord extends DamagedObject {
  readonly foundMs: number;
  /** The first cloudsnap after it that does without the object; null while there is none. */
  readonly repairedBy: string | null;
}

/** One step of the agent's database. */
export const DAMAGE_TABLE_SQL = `
  CREATE TABLE damage (
    repository_id TEXT NOT NULL,
    object TEXT NOT NULL,
    volume_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    finding TEXT NOT NULL,
    cloudsnaps TEXT NOT NULL,
    found_ms INTEGER NOT NULL,
    repaired_by TEXT,
    PRIMARY KEY (repository_id, object)
  ) STRICT;
  CREATE INDEX damage_by_volume ON damage (repository_id, volume_id);
`;

/**
 * What this host knows to be damaged in its repositories. Durable: whatever found it, the next
 * backup makes up for it, also after a restart. What was only told of an object adds to what is
 * known of it.
 */
export class DamageRegister {
  readonly #database: Sqlite;
  readonly #clock: Clock;

  constructor(database: Sqlite, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  note(found: DamagedObject): void {
    const known = this.#find(found.repositoryId, found.object);
    const cloudsnaps = [...new Set([...(known?.cloudsnaps ?? []), ...found.cloudsnaps])];
    const repairedBy = known?.repairedBy ?? null;
    this.#put({
      ...found,
      cloudsnaps,
      foundMs: known?.foundMs ?? this.#clock.nowMs(),
      repairedBy: repairedBy !== null && isRepaired(repairedBy, cloudsnaps) ? repairedBy : null,
    });
  }

  /** By time of finding. */
  of(repositoryId: string, volumeId: string): DamageRecord[] {
    return this.#database
      .all(
        `SELECT * FROM damage WHERE repository_id = :repositoryId AND volume_id = :volumeId
          ORDER BY found_ms, object`,
        { repositoryId, volumeId },
      )
      .map(fromRow);
  }

  /** Of all volumes; for listings. */
  inRepository(repositoryId: string): DamageRecord[] {
    return this.#database
      .all('SELECT * FROM damage WHERE repository_id = :repositoryId', { repositoryId })
      .map(fromRow);
  }

  /** A cloudsnap was made that does without these objects. */
  repaired(records: readonly DamageRecord[], by: string): void {
    for (const { repositoryId, object } of records) {
      this.#database.run(
        `UPDATE damage SET repaired_by = :by
          WHERE repository_id = :repositoryId AND object = :object AND repaired_by IS NULL`,
        { by, repositoryId, object },
      );
    }
  }

  /** The cloudsnap was found whole, or is gone: nothing hurts it any more. */
  clear(repositoryId: string, cloudsnapId: string): void {
    for (const record of this.inRepository(repositoryId)) {
      const cloudsnaps = record.cloudsnaps.filter((id) => id !== cloudsnapId);
      if (cloudsnaps.length === record.cloudsnaps.length) continue;
      if (cloudsnaps.length > 0) this.#put({ ...record, cloudsnaps });
      else this.#remove(record);
    }
  }

  #find(repositoryId: string, object: string): DamageRecord | undefined {
    const row = this.#database.get(
      'SELECT * FROM damage WHERE repository_id = :repositoryId AND object = :object',
      { repositoryId, object },
    );
    return row && fromRow(row);
  }

  #put(record: DamageRecord): void {
    this.#database.run(
      `INSERT OR REPLACE INTO damage (repository_id, object, volume_id, kind, owner, finding,
         cloudsnaps, found_ms, repaired_by)
       VALUES (:repository_id, :object, :volume_id, :kind, :owner, :finding,
         :cloudsnaps, :found_ms, :repaired_by)`,
      toRow(record),
    );
  }

  #remove({ repositoryId, object }: DamageRecord): void {
    this.#database.run(
      'DELETE FROM damage WHERE repository_id = :repositoryId AND object = :object',
      { repositoryId, object },
    );
  }
}

/** Not when it hurts what was made with or after the repair. */
function isRepaired(by: string, cloudsnaps: readonly string[]): boolean {
  const sequenceOf = (id: string) => parseCloudsnapId(id)?.sequence ?? 0;
  return cloudsnaps.every((id) => sequenceOf(id) < sequenceOf(by));
}

function toRow(record: DamageRecord): SqlRow {
  return {
    repository_id: record.repositoryId,
    object: record.object,
    volume_id: record.volumeId,
    kind: record.kind,
    owner: record.owner,
    finding: record.finding,
    cloudsnaps: JSON.stringify(record.cloudsnaps),
    found_ms: record.foundMs,
    repaired_by: record.repairedBy,
  };
}

function fromRow(row: Record<string, unknown>): DamageRecord {
  return {
    repositoryId: String(row['repository_id']),
    object: String(row['object']),
    volumeId: String(row['volume_id']),
    kind: String(row['kind']) as DamagedKind,
    owner: String(row['owner']),
    finding: String(row['finding']),
    cloudsnaps: JSON.parse(String(row['cloudsnaps'])) as string[],
    foundMs: Number(row['found_ms']),
    repairedBy: typeof row['repaired_by'] === 'string' ? row['repaired_by'] : null,
  };
}
