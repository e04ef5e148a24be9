import { CloudvolError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { checkName } from '../../base/name.ts';
import type { Handlers } from '../../control/server.ts';
import type { EmbeddedSecretStore } from '../../secrets/embedded-secret-store.ts';
import type { Repositories } from '../domain.ts';

type SecretsCalls =
  | 'inspectSecrets'
  | 'loginSecrets'
  | 'logoutSecrets'
  | 'putSecret'
  | 'getSecret'
  | 'listSecrets';

/** What users keep here lies apart from the secret parts of credentials: neither sees the other. */
const OF_USERS = 'user/';

export interface SecretsServiceDeps {
  readonly secrets: EmbeddedSecretStore;
  readonly repositories: Repositories;
  readonly log: Log;
}

/** Who has logged in has logged the agent in: for every command, until logout or its end. */
export class SecretsService implements Pick<Handlers, SecretsCalls> {
  readonly #deps: SecretsServiceDeps;

  constructor(deps: SecretsServiceDeps) {
    this.#deps = deps;
  }

  readonly inspectSecrets: Handlers['inspectSecrets'] = () => {
    const { hasPassphrase, isUnlocked } = this.#deps.secrets;
    return { hasPassphrase, unlocked: isUnlocked };
  };

  readonly loginSecrets: Handlers['loginSecrets'] = async ({ passphrase }) => {
    const login = await this.#deps.secrets.login(passphrase);
    this.#deps.log.info('secrets.unlocked', { login });
    return { passphraseSet: login === 'passphrase-set' };
  };

  readonly logoutSecrets: Handlers['logoutSecrets'] = () => {
    this.#deps.secrets.logout();
    this.#deps.repositories.lock();
    this.#deps.log.info('secrets.locked');
    return {};
  };

  readonly putSecret: Handlers['putSecret'] = async ({ name, value }) => {
    await this.#deps.secrets.put(OF_USERS + checkName('secret', name), value);
    return {};
  };

  readonly getSecret: Handlers['getSecret'] = async ({ name }) => {
    const value = await this.#deps.secrets.get(OF_USERS + name);
    if (value !== undefined) return { name, value };
    throw new CloudvolError('secrets/not-found', `there is no secret ${JSON.stringify(name)}`, {
      hint: 'cloudvol secrets kvdb list-secrets shows those there are',
    });
  };

  readonly listSecrets: Handlers['listSecrets'] = async () => {
    const names = await this.#deps.secrets.list();
    return names
      .filter((name) => name.startsWith(OF_USERS))
      .map((name) => ({ name: name.slice(OF_USERS.length) }));
  };
}
