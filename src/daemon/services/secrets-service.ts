import type { Log } from '../../base/log.ts';
import type { Handlers } from '../../control/server.ts';
import type { EmbeddedSecretStore } from '../../secrets/embedded-secret-store.ts';
import type { Repositories } from '../domain.ts';

type SecretsCalls = 'inspectSecrets' | 'loginSecrets' | 'logoutSecrets';

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
}
