import { chmodSync } from 'node:fs';

import { ScheduleCloudsnaps } from '../backup/schedule/schedule-cloudsnaps.ts';
import {
  SCHEDULE_RETENTION_SQL,
  SCHEDULE_TABLE_SQL,
  ScheduleTable,
} from '../backup/schedule/schedule-table.ts';
import type { Clock } from '../base/clock.ts';
import { newClusterId, newCredentialId, type ClusterId } from '../base/ids.ts';
import { Sqlite } from '../base/sqlite.ts';
import { DAMAGE_TABLE_SQL, DamageRegister } from '../cloudsnap/damage-register.ts';
import { REPORT_TABLE_SQL, ReportTable } from '../cloudsnap/verify/report-table.ts';
import {
  CREDENTIAL_SECRETS_SQL,
  CREDENTIAL_TABLE_SQL,
  CredentialRegistry,
} from '../secrets/credential-registry.ts';
import { CLEANUP_TABLES_SQL, CleanupTable } from './cleanup/cleanup-table.ts';
import { EmbeddedSecretStore, SECRET_TABLES_SQL } from '../secrets/embedded-secret-store.ts';
import { TASK_TABLE_SQL, TaskTable } from '../tasks/task-table.ts';

/** Key and value of what there is one of per host. */
const IDENTITY_TABLE_SQL = `
  CREATE TABLE identity (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

/** Only ever added to: entry n leads from schema version n to n + 1. */
const MIGRATIONS = [
  `${IDENTITY_TABLE_SQL}; ${CREDENTIAL_TABLE_SQL}; ${TASK_TABLE_SQL}`,
  `${CREDENTIAL_SECRETS_SQL}; ${SECRET_TABLES_SQL}`,
  SCHEDULE_TABLE_SQL,
  DAMAGE_TABLE_SQL,
  REPORT_TABLE_SQL,
  SCHEDULE_RETENTION_SQL,
  CLEANUP_TABLES_SQL,
];

/** Readable by the agent's user only, whoever may enter its directory. */
const MODE = 0o600;

/** Name of the credential of the embedded store, which every agent begins with. */
export const DEFAULT_CREDENTIAL = 'default';

export interface AgentDatabase {
  /** Names this host's cloudsnaps; made at the first start. */
  readonly clusterId: ClusterId;
  readonly credentials: CredentialRegistry;
  readonly secrets: EmbeddedSecretStore;
  readonly tasks: TaskTable;
  readonly schedules: ScheduleTable;
  readonly scheduleCloudsnaps: ScheduleCloudsnaps;
  readonly damage: DamageRegister;
  readonly reports: ReportTable;
  readonly cleanups: CleanupTable;
  close(): void;
}

/**
 * The agent's own small records. The first start, and it alone, makes the cluster id and a
 * credential for `defaultStorePath`: a user who deletes that credential does not get it back.
 */
export function openAgentDatabase(
  path: string,
  defaultStorePath: string,
  clock: Clock,
): AgentDatabase {
  const database = Sqlite.open(path, MIGRATIONS);
  try {
    chmodSync(path, MODE);
    const credentials = new CredentialRegistry(database, clock);
    const clusterId =
      readClusterId(database) ?? firstStart(database, credentials, defaultStorePath);
    const secrets = new EmbeddedSecretStore(database);
    const close = () => {
      secrets.logout();
      database.close();
    };
    const damage = new DamageRegister(database, clock);
    const reports = new ReportTable(database);
    const [tasks, schedules] = [new TaskTable(database), new ScheduleTable(database)];
    return {
      clusterId,
      credentials,
      secrets,
      tasks,
      schedules,
      scheduleCloudsnaps: new ScheduleCloudsnaps(database),
      damage,
      reports,
      cleanups: new CleanupTable(database),
      close,
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

function readClusterId(database: Sqlite): ClusterId | undefined {
  const row = database.get(`SELECT value FROM identity WHERE key = 'cluster-id'`);
  return row && (String(row['value']) as ClusterId);
}

function firstStart(
  database: Sqlite,
  credentials: CredentialRegistry,
  defaultStorePath: string,
): ClusterId {
  return database.transaction(() => {
    const clusterId = newClusterId();
    database.run(`INSERT INTO identity (key, value) VALUES ('cluster-id', :clusterId)`, {
      clusterId,
    });
    credentials.create({
      id: newCredentialId(),
      name: DEFAULT_CREDENTIAL,
      settings: { provider: 'directory', path: defaultStorePath },
      secretParts: [],
    });
    return clusterId;
  });
}
