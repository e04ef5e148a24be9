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

type CredentialCalls = 'createCredential' | 'listCredentials' | 'deleteCredential';

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

  readonly createCredential: Handlers['createCredential'] = async ({ name, ...fields }) => {
    const { vault, repositories } = this.#deps;
    const given: CredentialFields = fields;
    const split = splitCredential(given);
    vault.checkNew(name, split);
    await repositories.check(split);
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
        { hint: 'wait until it is not needed any more' },
      );
    }
    await this.#deps.vault.delete(credential);
    await this.#deps.repositories.forget(credential);
    return {};
  };

  async #userOf({ id }: Credential): Promise<string | undefined> {
    const { tasks, volumes, schedules } = this.#deps;
    const task = tasks.running().find(({ credentialId }) => credentialId === id);
    if (task) return `the ${task.kind.toLowerCase()} ${task.id}`;
    for (const volume of volumes.list()) {
      const { backing } = await volume.inspect();
      if (backing?.credentialId !== id) continue;
      return `volume ${volume.attributes.name}, which still fetches blocks through it`;
    }
    const schedule = schedules.list().find(({ credentialId }) => credentialId === id);
    if (schedule) return `the schedule ${schedule.id}`;
    return undefined;
  }
}
