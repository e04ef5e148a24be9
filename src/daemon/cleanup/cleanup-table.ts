import type { Sqlite } from '../../base/sqlite.ts';

/** A migration of the agent's database. */
export const CLEANUP_TABLES_SQL = `
  CREATE TABLE cleanup (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    repository_id TEXT NOT NULL,
    cluster_id TEXT NOT NULL,
    volume_id TEXT NOT NULL,
    snap_name TEXT NOT NULL
  ) STRICT;
  CREATE TABLE sweep (
    credential_id TEXT PRIMARY KEY,
    next_ms INTEGER NOT NULL
  ) STRICT;
`;

/** Objects that are to be removed from a repository. */
export interface Cleanup {
  /** `deletion`: of what is marked in the volume; `upload`: of one that nobody goes on with. */
  readonly kind: 'deletion' | 'upload';
  readonly repositoryId: string;
  readonly clusterId: string;
  readonly volumeId: string;
  /** Of an upload; else empty. */
  readonly snapName: string;
}

export type PendingCleanup = Cleanup & { readonly id: number };

/** What this host has still to remove from its repositories; durable when a call returns. */
export class CleanupTable {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  insert({ kind, repositoryId, clusterId, volumeId, snapName }: Cleanup): void {
    this.#database.run(
      `INSERT INTO cleanup (kind, repository_id, cluster_id, volume_id, snap_name)
       VALUES (:kind, :repository_id, :cluster_id, :volume_id, :snap_name)`,
      {
        kind,
        repository_id: repositoryId,
        cluster_id: clusterId,
        volume_id: volumeId,
        snap_name: snapName,
      },
    );
  }

  list(): PendingCleanup[] {
    return this.#database.all('SELECT * FROM cleanup ORDER BY id').map(cleanupOf);
  }

  delete(id: number): void {
    this.#database.run('DELETE FROM cleanup WHERE id = :id', { id });
  }

  /** When the repository of a credential is to be swept next; undefined before the first time. */
  nextSweepMs(credentialId: string): number | undefined {
    const row = this.#database.get('SELECT next_ms FROM sweep WHERE credential_id = :id', {
      id: credentialId,
    });
    return row && Number(row['next_ms']);
  }

  setNextSweep(credentialId: string, nextMs: number): void {
    this.#database.run(
      `INSERT INTO sweep (credential_id, next_ms) VALUES (:id, :next_ms)
       ON CONFLICT (credential_id) DO UPDATE SET next_ms = :next_ms`,
      { id: credentialId, next_ms: Math.round(nextMs) },
    );
  }
}

function cleanupOf(row: Record<string, unknown>): PendingCleanup {
  return {
    id: Number(row['id']),
    kind: row['kind'] === 'upload' ? 'upload' : 'deletion',
    repositoryId: String(row['repository_id']),
    clusterId: String(row['cluster_id']),
    volumeId: String(row['volume_id']),
    snapName: String(row['snap_name']),
  };
}
