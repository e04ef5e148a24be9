import { badField } from './bad-field.ts';
import { checkUrl } from './check-url.ts';
import { chooseOne } from './choose-one.ts';
import type { CredentialFields, AzureSettings } from './credential.ts';
import { present } from './present.ts';

/** Azure's rule: https://learn.microsoft.com/azure/storage/common/storage-account-overview. */
const ACCOUNT = /^[a-z0-9]{3,24}$/;

/** @throws CloudvolError `credential/bad-field`, `credential/bad-combination` */
export function checkAzure(fields: CredentialFields): AzureSettings {
  const way = chooseOne(fields, ['accountKey', 'connectionString', 'sasToken', 'useIam']);
  const { accountName, connectionString, accountKey, endpoint, bucket, ca } = fields;
  if (endpoint !== undefined) checkUrl('azure', endpoint);
  if (way === 'connectionString') {
    if (endpoint !== undefined) {
      throw badField('azure', 'endpoint', 'is a part of the connection string already');
    }
    const named = accountOf(connectionString ?? '');
    if (accountName !== undefined && named !== undefined && accountName !== named) {
      throw badField('azure', 'accountName', `${accountName} is not the connection string's`);
    }
    return { provider: 'azure', ...present({ accountName: named ?? accountName, bucket, ca }) };
  }
  if (way === 'accountKey' && !/^[A-Za-z0-9+/]+={0,2}$/.test(accountKey ?? '')) {
    throw badField('azure', 'accountKey', 'is not base64, as keys of Azure are');
  }
  if (accountName === undefined) {
    throw badField('azure', 'accountName', 'is missing', {
      hint: 'give the name of the storage account, or --azure-connection-string',
    });
  }
  // An emulator or a gateway may name its accounts otherwise.
  if (endpoint === undefined && !ACCOUNT.test(accountName)) {
    throw badField('azure', 'accountName', `${JSON.stringify(accountName)} is no account name`, {
      hint: 'names of storage accounts are 3 to 24 small letters and digits',
    });
  }
  return { provider: 'azure', accountName, ...present({ endpoint, bucket, ca }) };
}

/** What `credentials list` shows of a connection string. */
function accountOf(connectionString: string): string | undefined {
  if (!/(^|;)\s*(BlobEndpoint|AccountName|UseDevelopmentStorage)=/i.test(connectionString)) {
    throw badField('azure', 'connectionString', 'names neither an account nor an endpoint', {
      hint: 'copy it whole from the access keys of the storage account',
    });
  }
  return /(?:^|;)\s*AccountName=([^;]+)/i.exec(connectionString)?.[1];
}
