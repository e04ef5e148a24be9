import type { ChangeJournal } from '../cloudsnap/change-passphrase.ts';
import type { UnfinishedChange } from '../cloudsnap/slot-change.ts';
import type { SecretStore } from '../secrets/secret-store.ts';

const PREFIX = 'passphrase-change/';

/** In the secret store: whoever changes a passphrase has logged in, and nobody else alters it. */
export class SealedChangeJournal implements ChangeJournal {
  readonly #secrets: SecretStore;

  constructor(secrets: SecretStore) {
    this.#secrets = secrets;
  }

  async find(masterKeyId: string): Promise<UnfinishedChange | undefined> {
    const stored = await this.#secrets.get(PREFIX + masterKeyId);
    return stored === undefined ? undefined : (JSON.parse(stored) as UnfinishedChange);
  }

  async note(masterKeyId: string, { salts, keysObject }: UnfinishedChange): Promise<void> {
    await this.#secrets.put(PREFIX + masterKeyId, JSON.stringify({ salts, keysObject }));
  }

  async remove(masterKeyId: string): Promise<void> {
    await this.#secrets.delete(PREFIX + masterKeyId);
  }
}
