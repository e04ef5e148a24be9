import type { TokenCredential } from '@azure/identity';
import {
  AnonymousCredential,
  BlobServiceClient,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { storeError } from '../store-error.ts';
import type { AzureTarget } from '../store-target.ts';

/** Where an account is, and as whom to come. */
export interface AzureAccount {
  /** Of the account's blob service: no query, no slash at the end, no secret. */
  readonly endpoint: string;
  /** `?…` of a shared access signature; empty when another way is used. */
  readonly query: string;
  readonly credential: StorageSharedKeyCredential | AnonymousCredential | TokenCredential;
}

/** Azure's rule: 3–63 lower-case letters, digits, single dashes inside. */
const CONTAINER_NAME = /^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** Azure's rule for storage accounts. */
const ACCOUNT_NAME = /^[a-z0-9]{3,24}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** @throws CloudvolError `store/failed` when Azure has no container of such a name. */
export function checkContainerName(name: string): void {
  if (CONTAINER_NAME.test(name)) return;
  throw storeError('store/failed', `Azure takes no container named ${JSON.stringify(name)}`, {
    hint: 'use 3 to 63 lower-case letters, digits and single dashes between them',
  });
}

/**
 * Reads the account out of a target; asks nobody.
 * @throws CloudvolError `store/failed` when something is missing, wrong or given twice.
 */
export async function readAccount(target: AzureTarget): Promise<AzureAccount> {
  const { accountKey, connectionString, sasToken } = target;
  const given = [accountKey, connectionString, sasToken].filter((one) => one !== undefined);
  if (given.length > 1) {
    throw storeError('store/failed', 'several ways into the Azure account are given', {
      hint: 'give one of account key, connection string and SAS token',
    });
  }
  if (connectionString !== undefined) return fromConnectionString(connectionString);
  const endpoint = endpointOf(target);
  if (sasToken !== undefined) {
    const query = `?${sasToken.trim().replace(/^\?/, '')}`;
    return { endpoint, query, credential: new AnonymousCredential() };
  }
  if (accountKey !== undefined) return withKey(endpoint, target.accountName, accountKey);
  if (endpoint.startsWith('http:')) {
    throw storeError('store/failed', `${endpoint} is plain http: Azure’s tokens go over https`, {
      hint: 'use https, or give an account key',
    });
  }
  // Large, and not needed by those who give a key.
  const { DefaultAzureCredential } = await import('@azure/identity');
  return { endpoint, query: '', credential: new DefaultAzureCredential() };
}

function fromConnectionString(connectionString: string): AzureAccount {
  try {
    const { url, credential } = BlobServiceClient.fromConnectionString(connectionString);
    const { search } = new URL(url);
    const endpoint = url.slice(0, url.length - search.length).replace(/\/+$/, '');
    return { endpoint, query: search, credential };
  } catch {
    // What the SDK says may hold parts of the string.
    throw storeError('store/failed', 'the connection string of the Azure account is not one', {
      hint: 'copy it whole: DefaultEndpointsProtocol=…;AccountName=…;AccountKey=…',
    });
  }
}

function withKey(endpoint: string, name: string | undefined, key: string): AzureAccount {
  if (name === undefined) {
    throw storeError('store/failed', 'an account key is given, but not the name of its account', {
      hint: 'name the Azure account',
    });
  }
  if (!BASE64.test(key.trim())) {
    throw storeError('store/failed', `the key of the Azure account ${name} is not base64`, {
      hint: 'copy key1 or key2 of the account whole',
    });
  }
  return { endpoint, query: '', credential: new StorageSharedKeyCredential(name, key.trim()) };
}

function endpointOf({ endpoint, accountName }: AzureTarget): string {
  if (endpoint !== undefined) return cleanEndpoint(endpoint);
  if (accountName !== undefined && ACCOUNT_NAME.test(accountName)) {
    return `https://${accountName}.blob.core.windows.net`;
  }
  const which = accountName === undefined ? 'no name' : `the name ${JSON.stringify(accountName)}`;
  throw storeError('store/failed', `an Azure account cannot have ${which}`, {
    hint: 'name the account (3 to 24 lower-case letters and digits) or give its endpoint',
  });
}

function cleanEndpoint(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && !url.search && !url.username) {
    return url.href.replace(/\/+$/, '');
  }
  // Not shown: a signature may be in it.
  throw storeError('store/failed', 'the endpoint of the Azure account is no plain URL', {
    hint: 'give https://HOST or http://HOST:PORT/ACCOUNT; a SAS token apart from it',
  });
}
