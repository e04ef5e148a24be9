import type { CloudsnapRepository } from '../cloudsnap/cloudsnap-api.ts';
import type { Credential, ProviderSettings } from '../secrets/credential.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Repositories } from './domain.ts';

export interface RepositoryPoolOptions {
  openStore(settings: ProviderSettings): Promise<ObjectStore>;
  openRepository(store: ObjectStore): Promise<CloudsnapRepository>;
}

interface OpenRepository {
  readonly store: ObjectStore;
  readonly repository: CloudsnapRepository;
}

/** Opens each credential's repository once, at its first use, so that manifests stay cached. */
export class RepositoryPool implements Repositories {
  readonly #options: RepositoryPoolOptions;
  readonly #opened = new Map<string, Promise<OpenRepository>>();

  constructor(options: RepositoryPoolOptions) {
    this.#options = options;
  }

  async open({ id, settings }: Credential): Promise<CloudsnapRepository> {
    const opening = this.#opened.get(id) ?? this.#openNew(settings);
    this.#opened.set(id, opening);
    try {
      return (await opening).repository;
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
