import { hostname } from 'node:os';
import { join } from 'node:path';

import type { Clock } from '../base/clock.ts';
import { lockDirectory } from '../base/directory-lock.ts';
import type { Log } from '../base/log.ts';
import { packageVersion } from '../base/version.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { ControlServer } from '../control/server.ts';
import { DeferredSource } from '../restore/deferred-source.ts';
import { CredentialVault } from '../secrets/credential-vault.ts';
import { TaskRunner } from '../tasks/task-runner.ts';
import { openAgentDatabase, type AgentDatabase } from './agent-database.ts';
import { Cleaner } from './cleanup/cleaner.ts';
import { Sweeper } from './cleanup/sweeper.ts';
import type { Domain, ManagedVolumes, OpenBacking, Recipes, Repositories } from './domain.ts';
import { handlersOf, type Services } from './handlers.ts';
import { prepareDirectory } from './prepare-directory.ts';
import { RepositoryPool } from './repository-pool.ts';
import { SealedChangeJournal } from './sealed-change-journal.ts';
import { RetentionPlanner } from './retention/retention-planner.ts';
import { ScheduledRetention } from './retention/scheduled-retention.ts';
import { SerialByKey } from './serial-by-key.ts';
import { CatalogService } from './services/catalog-service.ts';
import { CloudsnapService } from './services/cloudsnap-service.ts';
import { CredentialService } from './services/credential-service.ts';
import { HydrationService } from './services/hydration-service.ts';
import { PassphraseService } from './services/passphrase-service.ts';
import { RestoreService } from './services/restore-service.ts';
import { RetentionService } from './services/retention-service.ts';
import { ScheduleService } from './services/schedule-service.ts';
import { SecretsService } from './services/secrets-service.ts';
import { SweepService } from './services/sweep-service.ts';
import { TaskService } from './services/task-service.ts';
import { VerifyService } from './services/verify-service.ts';
import { VolumeService } from './services/volume-service.ts';
import { watchedRecipes } from './watched-recipes.ts';
import { storeTargetOf } from './store-target-of.ts';
import { unlockAtStart } from './unlock-at-start.ts';

/** State is the agent's alone. */
const STATE_MODE = 0o700;

/**
 * The group may reach the socket: whom the administrator gives the directory's group may use the
 * agent.
 */
const RUNTIME_MODE = 0o750;

/** How long a shutdown waits for tasks to clean up: below the 90 s after which systemd kills. */
const STOP_TASKS_MS = 30_000;

/**
 * How long it waits for calls that are under way (a mount, a mkfs) before their connections are
 * cut.
 */
const STOP_CALLS_MS = 20_000;

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly domain: Domain;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Agent {
  /**
   * Orderly: takes no more calls, ends tasks, detaches volumes and saves their bits, lets go of the
   * directories.
   */
  close(): Promise<void>;
}

/**
 * The composition root: everything that an agent consists of is opened here, in this order, and
 * closed in the reverse one. When a step fails, those before it are undone.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { config, domain, clock, log } = options;
  const stack = new AsyncDisposableStack();
  try {
    await claimDirectories(config, log, stack);
    const database = openAgentDatabase(
      join(config.stateDir, 'agent.db'),
      join(config.stateDir, 'objectstore'),
      clock,
    );
    stack.defer(() => database.close());
    const vault = new CredentialVault(database.credentials, database.secrets);
    await vault.sweep();
    await unlockAtStart(config, database.secrets, log);
    const repositories = new RepositoryPool({
      clock,
      secretsOf: (credential) => vault.secretsOf(credential),
      openStore: (settings, secrets) =>
        domain.openStore(storeTargetOf(settings, secrets, database.clusterId)),
      openRepository: (store, passphrase) =>
        domain.openRepository(store, database.clusterId, passphrase),
    });
    stack.defer(() => repositories.close());
    const recipes = watchedRecipes(domain.recipes, database.damage, log);
    const openBacking = backingOpener(options, database, repositories, recipes);
    const volumes = await domain.openVolumes({ config, openBacking });
    stack.defer(() => volumes.close());
    const catalog = await domain.openCatalog(config);
    stack.defer(() => catalog.close());
    await serve(options, { database, vault, repositories, recipes, volumes, catalog }, stack);
    log.info('agent.started', {
      pid: process.pid,
      socket: config.socketPath,
      version: packageVersion(),
    });
    return { close: () => stack.disposeAsync() };
  } catch (error) {
    // The first error is the one to hear of; what goes wrong while undoing is a consequence.
    await stack
      .disposeAsync()
      .catch((later: unknown) => log.error('agent.not-undone', { error: later }));
    throw error;
  }
}

async function claimDirectories(
  config: AgentConfig,
  log: Log,
  stack: AsyncDisposableStack,
): Promise<void> {
  await prepareDirectory(config.stateDir, STATE_MODE, log);
  await prepareDirectory(config.runtimeDir, RUNTIME_MODE, log);
  for (const directory of [config.stateDir, config.runtimeDir]) {
    const lock = lockDirectory(directory);
    stack.defer(() => lock.release());
  }
}

/**
 * Opens the cloud side of a volume at its first read, so that the agent starts while a store is out
 * of reach.
 */
function backingOpener(
  { clock, log }: AgentOptions,
  { credentials }: AgentDatabase,
  repositories: Repositories,
  recipes: Recipes,
): OpenBacking {
  return ({ credentialId, cloudsnapId }) =>
    new DeferredSource({
      clock,
      log,
      open: async (signal) => {
        const repository = await repositories.open(credentials.find(credentialId));
        const entry = await repository.find(cloudsnapId, signal);
        return recipes.openChainSource(repository, entry, signal);
      },
    });
}

interface Opened {
  readonly database: AgentDatabase;
  readonly vault: CredentialVault;
  readonly repositories: Repositories;
  readonly recipes: Recipes;
  readonly volumes: ManagedVolumes;
  readonly catalog: Awaited<ReturnType<Domain['openCatalog']>>;
}

async function serve(
  options: AgentOptions,
  opened: Opened,
  stack: AsyncDisposableStack,
): Promise<void> {
  const { config, clock, log } = options;
  const { runner: tasks, interrupted } = TaskRunner.open({
    table: opened.database.tasks,
    clock,
    log,
  });
  stack.defer(() => tasks.close(STOP_TASKS_MS));
  const stopping = new AbortController();
  const serial = new SerialByKey();
  const cleanup = openCleanup(options, opened, serial);
  const services = buildServices(
    options,
    { ...opened, ...cleanup, serial },
    tasks,
    stopping.signal,
  );
  await services.restores.discardInterrupted(interrupted);
  await resumeHydrations(opened.volumes, services.restores);
  const server = await ControlServer.open({
    socketPath: config.socketPath,
    handlers: handlersOf(services),
    log,
  });
  services.schedules.start();
  stack.defer(() => services.schedules.close());
  for (const each of [cleanup.cleaner, cleanup.sweeper]) {
    each.start();
    stack.defer(() => each.close());
  }
  stack.defer(async () => {
    // Those who wait for a task are answered now; calls that are at work are waited for.
    stopping.abort();
    await server.close(STOP_CALLS_MS);
  });
}

interface Cleanup {
  readonly cleaner: Cleaner;
  readonly sweeper: Sweeper;
}

function openCleanup(
  { config, clock, log }: AgentOptions,
  { database, repositories, volumes }: Opened,
  serial: SerialByKey,
): Cleanup {
  const { credentials, cleanups: table } = database;
  const shared = { table, credentials, repositories, volumes, clock, log, random: Math.random };
  return {
    cleaner: new Cleaner(shared),
    sweeper: new Sweeper({ ...shared, serial, intervalMs: config.sweepIntervalMs }),
  };
}

function buildServices(
  { config, clock, log }: AgentOptions,
  opened: Opened & Cleanup & { readonly serial: SerialByKey },
  tasks: TaskRunner,
  stopping: AbortSignal,
): Services {
  const { database, vault, repositories, recipes, volumes, catalog } = opened;
  const { serial, cleaner, sweeper } = opened;
  const node = hostname();
  const { credentials, clusterId, schedules, damage, reports } = database;
  const { scheduleCloudsnaps: made } = database;
  const started = new Date(clock.nowMs()).toISOString();
  const { stallLimitMs } = config;
  const surroundings = { clock, log, node, stallLimitMs };
  const shared = { ...surroundings, volumes, credentials, repositories, recipes, tasks };
  const cloudsnaps = new CloudsnapService({ ...shared, damage, cleaner });
  const planner = new RetentionPlanner({ volumes, damage, clock });
  const retention = new RetentionService({ ...shared, cloudsnaps, planner });
  const restores = new RestoreService({ ...shared, serial });
  const views = new VolumeService({ ...shared, serial, schedules, cleaner });
  return {
    inspectAgent: () => ({
      version: packageVersion(),
      pid: process.pid,
      node,
      clusterId,
      stateDir: config.stateDir,
      runtimeDir: config.runtimeDir,
      started,
    }),
    volumes: views,
    hydrations: new HydrationService({ volumes, tasks, serial, restores, views }),
    credentials: new CredentialService({
      credentials,
      vault,
      repositories,
      volumes,
      tasks,
      schedules,
    }),
    passphrases: new PassphraseService({
      credentials,
      vault,
      repositories,
      volumes,
      journal: new SealedChangeJournal(database.secrets),
      clusterId,
      log,
    }),
    secrets: new SecretsService({ secrets: database.secrets, repositories, log }),
    cloudsnaps,
    restores,
    retention,
    schedules: new ScheduleService({
      ...shared,
      table: schedules,
      cloudsnaps,
      made,
      retention: new ScheduledRetention({ ...shared, table: schedules, made, planner, retention }),
    }),
    sweeps: new SweepService({ credentials, repositories, sweeper }),
    tasks: new TaskService({ ...surroundings, tasks, stopping }),
    verifications: new VerifyService({ ...shared, damage, reports }),
    catalogs: new CatalogService({ credentials, repositories, recipes, catalog, stopping }),
  };
}

async function resumeHydrations(volumes: ManagedVolumes, restores: RestoreService): Promise<void> {
  for (const volume of volumes.list()) {
    const { backing } = await volume.inspect();
    const source = volume.backingSource;
    if (!backing?.hydrate || !source) continue;
    restores.hydrate(volume, source, backing.cloudsnapId, backing.credentialId);
  }
}
