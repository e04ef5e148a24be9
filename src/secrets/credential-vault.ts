import { newCredentialId } from '../base/ids.ts';
import { CloudvolError } from '../base/errors.ts';
import { SECRET_PARTS } from '../config/provider-fields.ts';
import type { CredentialRegistry } from './credential-registry.ts';
import {
  CREDENTIAL_SECRETS,
  secretNameOf,
  type Credential,
  type CredentialSecrets,
} from './credential.ts';
import type { SplitCredential } from './split-credential.ts';
import type { SecretStore } from './secret-store.ts';

/**
 * Credentials together with their secret parts. The parts are stored before the credential and
 * deleted after it: a crash in between leaves parts that nobody names, and `sweep` removes those.
 */
export class CredentialVault {
  readonly #registry: CredentialRegistry;
  readonly #secrets: SecretStore;

  constructor(registry: CredentialRegistry, secrets: SecretStore) {
    this.#registry = registry;
    this.#secrets = secrets;
  }

  /** Whether `create` would take this. @throws what `create` throws */
  checkNew(name: string, { secrets }: SplitCredential): void {
    this.#registry.checkNew(name);
    if (Object.keys(secrets).length > 0) this.#secrets.checkUnlocked();
  }

  /** @throws CloudvolError `secrets/locked`, and what the registry's `create` throws */
  async create(name: string, { settings, secrets }: SplitCredential): Promise<Credential> {
    this.#registry.checkNew(name);
    const id = newCredentialId();
    const secretParts = SECRET_PARTS.filter((part) => secrets[part] !== undefined);
    if (secretParts.length > 0) {
      await this.#secrets.put(secretNameOf(id), JSON.stringify(secrets));
    }
    try {
      return this.#registry.create({ id, name, settings, secretParts });
    } catch (error) {
      await this.#secrets.delete(secretNameOf(id));
      throw error;
    }
  }

  /**
   * The secret parts of a credential; none, without a login, for one that has none.
   * @throws CloudvolError `secrets/locked`, `secrets/missing`
   */
  async secretsOf({ id, name, secretParts }: Credential): Promise<CredentialSecrets> {
    if (secretParts.length === 0) return {};
    const stored = await this.#secrets.get(secretNameOf(id));
    if (stored !== undefined) return JSON.parse(stored) as CredentialSecrets;
    throw new CloudvolError(
      'secrets/missing',
      `the secret parts of credential ${name} are not in the secret store`,
      { hint: 'delete the credential and create it again' },
    );
  }

  /**
   * From now on these credentials have this passphrase: all of them or none.
   * @throws CloudvolError `secrets/locked`, `secrets/missing`
   */
  async setPassphrase(credentials: readonly Credential[], passphrase: string): Promise<void> {
    const values = new Map<string, string>();
    for (const credential of credentials) {
      const secrets = await this.secretsOf(credential);
      values.set(secretNameOf(credential.id), JSON.stringify({ ...secrets, passphrase }));
    }
    await this.#secrets.putAll(values);
  }

  async delete({ id, secretParts }: Credential): Promise<void> {
    this.#registry.delete(id);
    if (secretParts.length > 0) await this.#secrets.delete(secretNameOf(id));
  }

  /** Removes secret parts whose credential was never made, or is gone. Needs no login. */
  async sweep(): Promise<void> {
    const kept = new Set(this.#registry.list().map(({ id }) => secretNameOf(id)));
    for (const name of await this.#secrets.list()) {
      if (name.startsWith(CREDENTIAL_SECRETS) && !kept.has(name)) await this.#secrets.delete(name);
    }
  }
}
