import type { ClusterId } from '../base/ids.ts';
import type { CredentialSecrets, ProviderSettings } from '../secrets/credential.ts';
import type { StoreTarget } from '../store/store-target.ts';

/**
 * Where a credential points. Without a bucket of the user's it is the default one, named by the
 * cluster id, which is made when it is missing; one that the user made needs no permission for
 * that. A directory is always made.
 */
export function storeTargetOf(
  settings: ProviderSettings,
  secrets: CredentialSecrets,
  clusterId: ClusterId,
): StoreTarget {
  if (settings.provider === 'directory') return { ...settings, create: true };
  // A passphrase is the repository's, not the store's.
  const { passphrase: _, ...keys } = secrets;
  const bucket = settings.bucket ?? clusterId;
  return { ...settings, ...keys, bucket, create: settings.bucket === undefined };
}
