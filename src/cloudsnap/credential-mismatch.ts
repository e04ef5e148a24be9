import { CloudvolError } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';

/** What is said when a credential and a repository do not fit. */

export function wrongPassphrase(clusterId: ClusterId): CloudvolError {
  return new CloudvolError(
    'cloudsnap/wrong-passphrase',
    `the passphrase does not open the cloudsnaps of ${clusterId}`,
    {
      hint:
        'if it was changed elsewhere, give this agent the present one: ' +
        'cloudvol credentials change-passphrase CREDENTIAL; ' +
        'otherwise use the credential that they were made with',
      details: { clusterId },
    },
  );
}

export function notEncrypted(what: string): CloudvolError {
  return new CloudvolError(
    'cloudsnap/not-encrypted',
    `${what} is not encrypted, and the credential has a passphrase`,
    {
      hint: 'use a credential without a passphrase, or another bucket: a clear one stays clear',
    },
  );
}
