import type { Clock } from '../base/clock.ts';
import type { CloudsnapRepository } from '../cloudsnap/cloudsnap-api.ts';
import type { SplitCredential } from '../secrets/split-credential.ts';
import type { Credential, CredentialSecrets, ProviderSettings } from '../secrets/credential.ts';
import type { StoreMetrics } from '../store/layers/metrics.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { OpenedStore } from '../store/open-store.ts';
import type { StoreReport } from '../store/validate-store.ts';
import type { Repositories } from './domain.ts';
import { validateCredential } from './validate-credential.ts';

export interface RepositoryPoolOptions {
  readonly clock: Clock;
  /** @throws CloudvolError `secrets/locked` before a login, for a credential with secret parts */
  secretsOf(credential: Credential): Promise<CredentialSecrets>;
  openStore(settings: ProviderSettings, secrets: CredentialSecrets): Promise<OpenedStore>;
  openRepository(store: ObjectStore, passphrase?: string): Promise<CloudsnapRepository>;
}

interface OpenRepository {
  readonly store: OpenedStore;
  readonly repository: CloudsnapRepository;
}

interface PoolEntry {
  readonly opening: Promise<OpenRepository>;
  /** Whether it was opened with secrets. */
  readonly isSecret: boolean;
}

const NO_REQUESTS: StoreMetrics['requests'] = { put: 0, get: 0, head: 0, list: 0, delete: 0 };

/** Opens each credential's repository once, at its first use, so that manifests stay cached. */
export class RepositoryPool implements Repositories {
  readonly #options: RepositoryPoolOptions;
  readonly #opened = new Map<string, PoolEntry>();
  readonly #stores = new Map<string, OpenedStore>();
  /** Given up by `lock` or `renew`, perhaps still used by tasks; closed in the end. */
  readonly #retired: PoolEntry[] = [];

  constructor(options: RepositoryPoolOptions) {
    this.#options = options;
  }

  async open(credential: Credential): Promise<CloudsnapRepository> {
    const { id, secretParts } = credential;
    const entry = this.#opened.get(id) ?? {
      opening: this.#openWithSecrets(credential),
      isSecret: secretParts.length > 0,
    };
    this.#opened.set(id, entry);
    try {
      const { store, repository } = await entry.opening;
      this.#stores.set(id, store);
      return repository;
    } catch (error) {
      // The next call tries again: the store may be there by then.
      if (this.#opened.get(id) === entry) this.#opened.delete(id);
      throw error;
    }
  }

  async check({ settings, secrets }: SplitCredential, signal: AbortSignal): Promise<void> {
    const { store, repository } = await this.#openNew(settings, secrets);
    try {
      // Opening asks the store nothing: what is there says whether the passphrase is the right one.
      await repository.list({}, signal);
    } finally {
      await store.close();
    }
  }

  async validate(credential: Credential, signal: AbortSignal): Promise<StoreReport> {
    const options = this.#options;
    const secrets = await options.secretsOf(credential);
    return validateCredential(credential, {
      openStore: () => options.openStore(credential.settings, secrets),
      openRepository: (store) => options.openRepository(store, secrets.passphrase),
      clock: options.clock,
      signal,
    });
  }

  async withStore<T>(credential: Credential, work: (store: ObjectStore) => Promise<T>): Promise<T> {
    const options = this.#options;
    const secrets = await options.secretsOf(credential);
    const store = await options.openStore(credential.settings, secrets);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  requests({ id }: Credential): StoreMetrics['requests'] {
    return this.#stores.get(id)?.metrics().requests ?? NO_REQUESTS;
  }

  async forget({ id }: Credential): Promise<void> {
    const entry = this.#opened.get(id);
    this.#opened.delete(id);
    this.#stores.delete(id);
    if (entry) await closeAll([entry]);
  }

  renew({ id }: Credential): void {
    const entry = this.#opened.get(id);
    if (entry) this.#retired.push(entry);
    this.#opened.delete(id);
  }

  lock(): void {
    for (const [id, entry] of this.#opened) {
      if (!entry.isSecret) continue;
      this.#retired.push(entry);
      this.#opened.delete(id);
    }
  }

  async close(): Promise<void> {
    const all = [...this.#opened.values(), ...this.#retired];
    this.#opened.clear();
    this.#retired.length = 0;
    await closeAll(all);
  }

  async #openWithSecrets(credential: Credential): Promise<OpenRepository> {
    return this.#openNew(credential.settings, await this.#options.secretsOf(credential));
  }

  async #openNew(settings: ProviderSettings, secrets: CredentialSecrets): Promise<OpenRepository> {
    const store = await this.#options.openStore(settings, secrets);
    try {
      const repository = await this.#options.openRepository(store, secrets.passphrase);
      return { store, repository };
    } catch (error) {
      await store.close();
      throw error;
    }
  }
}

async function closeAll(entries: readonly PoolEntry[]): Promise<void> {
  for (const opened of await Promise.allSettled(entries.map(({ opening }) => opening))) {
    // One that failed to open has nothing to close, and its caller has been told.
    if (opened.status === 'fulfilled') await opened.value.store.close();
  }
}
