import type { Provider, SecretPart } from '../config/provider-fields.ts';
import type { CredentialId } from '../base/ids.ts';

/**
 * What a provider needs to reach its store and may be shown: with the secret parts and the bucket
 * it is the provider's StoreTarget. A union, so that each provider has exactly its own settings.
 */
export type ProviderSettings = DirectorySettings | S3Settings | AzureSettings | GoogleSettings;

export interface DirectorySettings {
  readonly provider: 'directory';
  /** Absolute. */
  readonly path: string;
}

interface BucketSettings {
  /** Made beforehand by the user; none: the default bucket, named by the cluster id. */
  readonly bucket?: string;
  /** PEM of certificate authorities to trust besides the well-known ones. */
  readonly ca?: string;
}

export interface S3Settings extends BucketSettings {
  readonly provider: 's3';
  /** `host` or `host:port` each; none: Amazon's own. */
  readonly endpoints?: readonly string[];
  readonly region?: string;
  readonly disableSsl?: boolean;
  readonly virtualHost?: boolean;
  /** None: the SDK's default chain (environment, profile, instance role). */
  readonly accessKey?: string;
  readonly storageClass?: string;
  readonly sse?: 'AES256' | 'aws:kms';
}

export interface AzureSettings extends BucketSettings {
  readonly provider: 'azure';
  readonly accountName?: string;
  /** URL of the account's blob service. */
  readonly endpoint?: string;
}

export interface GoogleSettings extends BucketSettings {
  readonly provider: 'google';
  readonly projectId?: string;
  /** URL. */
  readonly endpoint?: string;
}

/** The secret parts that were given, by name. Never logged, printed or stored in clear. */
export type CredentialSecrets = { readonly [Part in SecretPart]?: string };

/** What a user says about a new credential, as one flat set of fields. */
export interface CredentialFields extends CredentialSecrets {
  readonly provider: Provider;
  readonly path?: string;
  readonly bucket?: string;
  readonly ca?: string;
  /** Whoever the host is: an instance role, a managed identity, default credentials. */
  readonly useIam?: boolean;
  readonly endpoints?: readonly string[];
  readonly region?: string;
  readonly disableSsl?: boolean;
  readonly virtualHost?: boolean;
  readonly accessKey?: string;
  readonly storageClass?: string;
  readonly sse?: string;
  readonly accountName?: string;
  readonly projectId?: string;
  readonly endpoint?: string;
}

/** Where cloudsnaps go to and come from. Never changed once created, but for its passphrase. */
export interface Credential {
  readonly id: CredentialId;
  readonly name: string;
  readonly createdMs: number;
  readonly settings: ProviderSettings;
  /** Names of the parts that lie in the secret store, under `secretNameOf(id)`. */
  readonly secretParts: readonly SecretPart[];
  /** As measured last; undefined before the first measurement. */
  readonly writeBytesPerSecond?: number;
}

/** Whether its cloudsnaps are encrypted. */
export function isEncrypted({ secretParts }: Pick<Credential, 'secretParts'>): boolean {
  return secretParts.includes('passphrase');
}

/** Under which name the secret store holds a credential's parts. */
export function secretNameOf(id: CredentialId): string {
  return `${CREDENTIAL_SECRETS}${id}`;
}

/** What the names of credentials' secrets begin with. */
export const CREDENTIAL_SECRETS = 'credential/';
