import type { Handlers } from '../control/server.ts';
import type { CatalogService } from './services/catalog-service.ts';
import type { CloudsnapService } from './services/cloudsnap-service.ts';
import type { CredentialService } from './services/credential-service.ts';
import type { HydrationService } from './services/hydration-service.ts';
import type { PassphraseService } from './services/passphrase-service.ts';
import type { RestoreService } from './services/restore-service.ts';
import type { RetentionService } from './services/retention-service.ts';
import type { ScheduleService } from './services/schedule-service.ts';
import type { SecretsService } from './services/secrets-service.ts';
import type { SweepService } from './services/sweep-service.ts';
import type { TaskService } from './services/task-service.ts';
import type { VerifyService } from './services/verify-service.ts';
import type { VolumeService } from './services/volume-service.ts';

export interface Services {
  readonly inspectAgent: Handlers['inspectAgent'];
  readonly volumes: VolumeService;
  readonly credentials: CredentialService;
  readonly passphrases: PassphraseService;
  readonly secrets: SecretsService;
  readonly cloudsnaps: CloudsnapService;
  readonly restores: RestoreService;
  readonly hydrations: HydrationService;
  readonly retention: RetentionService;
  readonly schedules: ScheduleService;
  readonly sweeps: SweepService;
  readonly tasks: TaskService;
  readonly verifications: VerifyService;
  readonly catalogs: CatalogService;
}

/** Which service answers which call. */
export function handlersOf(services: Services): Handlers {
  const { inspectAgent, volumes, credentials, secrets, cloudsnaps, restores, schedules, tasks } =
    services;
  const { verifications, catalogs, retention } = services;
  return {
    inspectAgent,
    createVolume: volumes.createVolume,
    listVolumes: volumes.listVolumes,
    inspectVolume: volumes.inspectVolume,
    deleteVolume: volumes.deleteVolume,
    attachVolume: volumes.attachVolume,
    detachVolume: volumes.detachVolume,
    mountVolume: volumes.mountVolume,
    unmountVolume: volumes.unmountVolume,
    hydrateVolume: services.hydrations.hydrateVolume,
    createCredential: credentials.createCredential,
    listCredentials: credentials.listCredentials,
    deleteCredential: credentials.deleteCredential,
    validateCredential: credentials.validateCredential,
    changePassphrase: services.passphrases.changePassphrase,
    deleteCredentialReferences: credentials.deleteCredentialReferences,
    inspectSecrets: secrets.inspectSecrets,
    loginSecrets: secrets.loginSecrets,
    logoutSecrets: secrets.logoutSecrets,
    putSecret: secrets.putSecret,
    getSecret: secrets.getSecret,
    listSecrets: secrets.listSecrets,
    backup: cloudsnaps.backup,
    restore: restores.restore,
    listCloudsnaps: cloudsnaps.listCloudsnaps,
    deleteCloudsnap: cloudsnaps.deleteCloudsnap,
    pruneCloudsnaps: retention.pruneCloudsnaps,
    sweepCloudsnaps: services.sweeps.sweepCloudsnaps,
    verifyCloudsnap: verifications.verifyCloudsnap,
    inspectVerification: verifications.inspectVerification,
    catalogCloudsnap: catalogs.catalogCloudsnap,
    extractCloudsnap: catalogs.extractCloudsnap,
    listTasks: tasks.listTasks,
    inspectTask: tasks.inspectTask,
    waitForTask: tasks.waitForTask,
    stopTask: tasks.stopTask,
    createSchedule: schedules.createSchedule,
    updateSchedule: schedules.updateSchedule,
    listSchedules: schedules.listSchedules,
    deleteSchedule: schedules.deleteSchedule,
  };
}
