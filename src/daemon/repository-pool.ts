import type { CloudsnapRepository } from '../cloudsnap/cloudsnap-api.ts';
import type { Credential, ProviderSettings } from '../secrets/credential.ts';
import type { StoreMetrics } from '../store/layers/metrics.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { OpenedStore } from '../store/open-store.ts';
import type { Repositories } from './domain.ts';

export interface RepositoryPoolOptions {
  openStore(settings: ProviderSettings): Promise<OpenedStore>;
  openRepository(store: ObjectStore): Promise<CloudsnapRepository>;
}

interface OpenRepository {
  readonly store: OpenedStore;
  readonly repository: CloudsnapRepository;
}

const NO_REQUESTS: StoreMetrics['requests'] = { put: 0, get: 0, head: 0, list: 0, delete: 0 };

/** Opens each credential's repository once, at its first use, so that manifests stay cached. */
export class RepositoryPool implements Repositories {
  readonly #options: RepositoryPoolOptions;
  readonly #opened = new Map<string, Promise<OpenRepository>>();
  readonly #stores = new Map<string, OpenedStore>();

  constructor(options: RepositoryPoolOptions) {
    this.#options = options;
  }

  async open({ id, settings }: Credential): Promise<CloudsnapRepository> {
    const opening = this.#opened.get(id) ?? this.#openNew(settings);
    this.#opened.set(id, opening);
    try {
      const { store, repository } = await opening;
      this.#stores.set(id, store);
      return repository;
    } catch (error) {
      // The next call tries again: the store may be there by then.
      this.#opened.delete(id);
      throw error;
    }
  }

  async check(settings: ProviderSettings): Promise<void> {
    const { store } = await this.#openNew(settings);
    await store.close();
  }

  requests({ id }: Credential): StoreMetrics['requests'] {
    return this.#stores.get(id)?.metrics().requests ?? NO_REQUESTS;
  }

  async close(): Promise<void> {
    const all = await Promise.allSettled(this.#opened.values());
    this.#opened.clear();
    for (const opened of all) {
      // One that failed to open has nothing to close, and its caller has been told.
      if (opened.status === 'fulfilled') await opened.value.store.close();
    }
  }

  async #openNew(settings: ProviderSettings): Promise<OpenRepository> {
    const store = await this.#options.openStore(settings);
    try {
      return { store, repository: await this.#options.openRepository(store) };
    } catch (error) {
      await store.close();
      throw error;
    }
  }
}
