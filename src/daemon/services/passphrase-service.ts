import { CloudvolError } from '../../base/errors.ts';
import { Limiter } from '../../base/limiter.ts';
import type { ClusterId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import {
  changePassphrase,
  type ChangedPassphrase,
  type ChangeJournal,
} from '../../cloudsnap/change-passphrase.ts';
import { listClusters } from '../../cloudsnap/list-clusters.ts';
import { readClusterMarker } from '../../cloudsnap/read-cluster-marker.ts';
import type { Handlers } from '../../control/server.ts';
import type { CredentialRegistry } from '../../secrets/credential-registry.ts';
import type { CredentialVault } from '../../secrets/credential-vault.ts';
import { isEncrypted, type Credential } from '../../secrets/credential.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import type { ManagedVolumes, Repositories } from '../domain.ts';

export interface PassphraseServiceDeps {
  readonly credentials: CredentialRegistry;
  readonly vault: CredentialVault;
  readonly repositories: Repositories;
  readonly volumes: ManagedVolumes;
  readonly journal: ChangeJournal;
  readonly clusterId: ClusterId;
  readonly log: Log;
}

interface Credentials {
  /** This one, and those that lead to the same root with the same passphrase. */
  readonly same: readonly Credential[];
  /** Names of those whose store did not say whose root it holds. */
  readonly unchecked: readonly string[];
}

type Answer = Awaited<ReturnType<Handlers['changePassphrase']>>;

/** Changes what opens a credential's cloudsnaps: in the bucket, and in the secrets of this host. */
export class PassphraseService implements Pick<Handlers, 'changePassphrase'> {
  readonly #deps: PassphraseServiceDeps;
  /** One at a time: of two, each would take the other's slot for one to keep. */
  readonly #turn = new Limiter(1);

  constructor(deps: PassphraseServiceDeps) {
    this.#deps = deps;
  }

  readonly changePassphrase: Handlers['changePassphrase'] = (input, signal) =>
    this.#turn.run(async () => {
      const credential = this.#deps.credentials.find(input.credential);
      if (!isEncrypted(credential)) throw noPassphrase(credential);
      const allClusters = input.allClusters ?? false;
      if (!allClusters) await this.#refuseOthersNeeded(credential);
      return await this.#deps.repositories.withStore(credential, (store) =>
        this.#change(store, credential, { ...input, allClusters }, signal),
      );
    }, signal);

  async #change(
    store: ObjectStore,
    credential: Credential,
    input: Parameters<Handlers['changePassphrase']>[0] & { readonly allClusters: boolean },
    signal: AbortSignal,
  ): Promise<Answer> {
    const { vault, repositories, journal, clusterId, log } = this.#deps;
    const { passphrase: stored = '' } = await vault.secretsOf(credential);
    const others = await listClusters(store, signal);
    let changed: Credentials | undefined;
    const result = await changePassphrase({
      store,
      clusterId,
      allClusters: input.allClusters,
      from: input.oldPassphrase ?? stored,
      to: input.passphrase,
      journal,
      switchOver: async (masterKeyIds) => {
        changed = await this.#credentialsOf(credential, { stored, masterKeyIds }, signal);
        await vault.setPassphrase(changed.same, input.passphrase);
        for (const each of changed.same) repositories.renew(each);
      },
      signal,
    });
    const { same = [], unchecked = [] } = changed ?? {};
    const names = same.map(({ name }) => name);
    const { outcome, clusterIds } = result;
    log.info('credential.passphrase-changed', { outcome, credentials: names, clusterIds });
    if (result.unfinished !== undefined) throw this.#unfinished(credential, result);
    const otherClusters = others.filter((each) => !clusterIds.includes(each)).length;
    return { outcome, credentials: names, unchecked: [...unchecked], otherClusters };
  }

  async #credentialsOf(
    credential: Credential,
    { stored, masterKeyIds }: { stored: string; masterKeyIds: ReadonlySet<string> },
    signal: AbortSignal,
  ): Promise<Credentials> {
    const { credentials, vault, repositories, clusterId, log } = this.#deps;
    const same = [credential];
    const unchecked: string[] = [];
    for (const other of credentials.list()) {
      if (other.id === credential.id || !isEncrypted(other)) continue;
      if ((await vault.secretsOf(other)).passphrase !== stored) continue;
      try {
        const marker = await repositories.withStore(other, (store) =>
          readClusterMarker(store, clusterId, signal),
        );
        if (marker?.masterKeyId && masterKeyIds.has(marker.masterKeyId)) same.push(other);
      } catch (error) {
        // Its store is out of reach: whoever uses it is told then, and the caller now.
        log.warn('credential.not-checked', { credential: other.name, error });
        unchecked.push(other.name);
      }
    }
    return { same, unchecked };
  }

  /** A volume that fetches from a root that keeps the old passphrase would be cut off. */
  async #refuseOthersNeeded({ id, name }: Credential): Promise<void> {
    const { volumes, clusterId } = this.#deps;
    for (const volume of volumes.list()) {
      const { backing } = await volume.inspect();
      if (backing?.credentialId !== id) continue;
      const [owner] = backing.cloudsnapId.split('/');
      if (owner === clusterId) continue;
      throw new CloudvolError(
        'credential/in-use',
        `volume ${volume.attributes.name} still fetches blocks of cluster ${owner} ` +
          `through credential ${name}`,
        { hint: 'wait until it is hydrated, or change all clusters of the bucket: --all-clusters' },
      );
    }
  }

  #unfinished({ name }: Credential, { unfinished }: ChangedPassphrase): CloudvolError {
    return new CloudvolError(
      'credential/old-passphrase-stays',
      `credential ${name} has the new passphrase, but the old one still opens its cloudsnaps: ` +
        (unfinished instanceof Error ? unfinished.message : String(unfinished)),
      {
        hint: `once more, with the new one: cloudvol credentials change-passphrase ${name}`,
        cause: unfinished,
      },
    );
  }
}

function noPassphrase({ name }: Credential): CloudvolError {
  return new CloudvolError(
    'credential/not-encrypted',
    `credential ${name} has no passphrase that could be changed`,
    { hint: 'a clear repository stays clear: create a credential with --enc and another bucket' },
  );
}
