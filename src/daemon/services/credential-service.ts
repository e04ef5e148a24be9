import type { ScheduleTable } from '../../backup/schedule/schedule-table.ts';
import { CloudvolError } from '../../base/errors.ts';
import type { Handlers } from '../../control/server.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import { splitCredential } from '../../secrets/split-credential.ts';
import type { CredentialVault } from '../../secrets/credential-vault.ts';
import type { Credential, CredentialFields } from '../../secrets/credential.ts';
import type { TaskRunner } from '../../tasks/task-runner.ts';
import type { ManagedVolumes, Repositories } from '../domain.ts';
import { credentialView } from './views.ts';

type CredentialCalls =
  | 'createCredential'
  | 'listCredentials'
  | 'deleteCredential'
  | 'validateCredential'
  | 'deleteCredentialReferences';

export interface CredentialServiceDeps {
  readonly credentials: CredentialRegistry;
  readonly vault: CredentialVault;
  readonly repositories: Repositories;
  readonly volumes: ManagedVolumes;
  readonly tasks: TaskRunner;
  readonly schedules: ScheduleTable;
}

export class CredentialService implements Pick<Handlers, CredentialCalls> {
  readonly #deps: CredentialServiceDeps;

  constructor(deps: CredentialServiceDeps) {
    this.#deps = deps;
  }

  readonly createCredential: Handlers['createCredential'] = async ({ name, ...fields }, signal) => {
    const { vault, repositories } = this.#deps;
    const given: CredentialFields = fields;
    const split = splitCredential(given);
    vault.checkNew(name, split);
    await repositories.check(split, signal);
    const credential = await vault.create(name, split);
    return credentialView(credential, repositories.requests(credential));
  };

  readonly listCredentials: Handlers['listCredentials'] = () =>
    this.#deps.credentials
      .list()
      .map((credential) =>
        credentialView(credential, this.#deps.repositories.requests(credential)),
      );

  readonly deleteCredential: Handlers['deleteCredential'] = async (input) => {
    const credential = this.#deps.credentials.find(input.credential);
    const user = await this.#userOf(credential);
    if (user) {
      throw new CloudvolError(
        'credential/in-use',
        `credential ${credential.name} is in use by ${user}`,
        {
          hint: `wait, or drop it: cloudvol credentials delete-refs ${credential.name}`,
        },
      );
    }
    await this.#deps.vault.delete(credential);
    await this.#deps.repositories.forget(credential);
    return {};
  };

  readonly validateCredential: Handlers['validateCredential'] = async (input, signal) => {
    const { credentials, repositories } = this.#deps;
    const credential = credentials.find(input.credential);
    const { checks, writeBytesPerSecond } = await repositories.validate(credential, signal);
    if (writeBytesPerSecond !== undefined) {
      credentials.noteWriteSpeed(credential.id, writeBytesPerSecond);
    }
    return {
      valid: !checks.some(({ outcome }) => outcome === 'failed'),
      checks: checks.map(({ name, outcome, words }) => ({ name, outcome, words })),
      writeBytesPerSecond: writeBytesPerSecond ?? null,
    };
  };

  /**
   * Deletes the schedules of a credential and stops its tasks. Volumes that still fetch blocks
   * through it are never cut off from them: their data would be lost.
   */
  readonly deleteCredentialReferences: Handlers['deleteCredentialReferences'] = async (input) => {
    const { credentials, schedules, tasks } = this.#deps;
    const credential = credentials.find(input.credential);
    const isOurs = ({ credentialId }: { credentialId?: string | null }) =>
      credentialId === credential.id;
    const volumes = await this.#volumesThrough(credential);
    if (volumes.length > 0) {
      throw new CloudvolError(
        'credential/in-use',
        `credential ${credential.name} is needed by ${volumes.join(', ')}, ` +
          'which still fetch blocks through it',
        { hint: 'wait until they are hydrated, or delete them', details: { volumes } },
      );
    }
    const deleted = schedules.list().filter(isOurs);
    for (const { id } of deleted) schedules.delete(id);
    const stopped = tasks.running().filter(isOurs);
    for (const { id } of stopped) tasks.stop(id);
    await Promise.all(stopped.map(({ id }) => tasks.ended(id)));
    return {
      deletedSchedules: deleted.map(({ id }) => id),
      stoppedTasks: stopped.map(({ id }) => id),
    };
  };

  async #userOf(credential: Credential): Promise<string | undefined> {
    const { tasks, schedules } = this.#deps;
    const task = tasks.running().find(({ credentialId }) => credentialId === credential.id);
    if (task) return `the ${task.kind.toLowerCase()} ${task.id}`;
    const [volume] = await this.#volumesThrough(credential);
    if (volume !== undefined) return `volume ${volume}, which still fetches blocks through it`;
    const schedule = schedules.list().find(({ credentialId }) => credentialId === credential.id);
    return schedule && `the schedule ${schedule.id}`;
  }

  /** Names of the volumes whose absent blocks come through it. */
  async #volumesThrough({ id }: Credential): Promise<string[]> {
    const names = [];
    for (const volume of this.#deps.volumes.list()) {
      const { backing } = await volume.inspect();
      if (backing?.credentialId === id) names.push(volume.attributes.name);
    }
    return names;
  }
}
