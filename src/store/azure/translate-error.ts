/**
 * What Azure, its SDK and the network say, in the words of the store's contract. Azure's own
 * messages and the SDK's errors are never passed on: they hold signatures.
 */
import { CloudvolError } from '../../base/errors.ts';
import { translateNetworkError } from '../network-error.ts';
import { restDetails } from '../retry-after.ts';
import { alreadyExists, notFound, storeError } from '../store-error.ts';
import {
  clockSkew,
  FOREIGN,
  ForeignAnswer,
  meaningError,
  type StoreMeaning,
} from '../store-meaning.ts';

export interface FailedRequest {
  /** `put a/b`. */
  readonly action: string;
  readonly key?: string | undefined;
  readonly container: string;
  readonly endpoint: string;
  readonly location: string;
  /** `?…` of the shared access signature, to tell whether it has expired. */
  readonly query: string;
  readonly nowMs: number;
}

const WRONG_KEY: StoreMeaning = {
  code: 'store/denied',
  what: 'the account refuses the key or signature',
  hint: 'check the account name and its key, connection string or SAS token',
};
const DENIED: StoreMeaning = {
  code: 'store/denied',
  what: 'access is denied',
  hint: 'allow reading, writing, listing and deleting blobs (Storage Blob Data Contributor)',
};
const NO_CONTAINER: StoreMeaning = {
  code: 'store/not-found',
  what: 'there is no such container',
  hint: 'make the container beforehand, or name another with --bucket',
};
const BUSY: StoreMeaning = {
  code: 'store/unavailable',
  what: 'the store is busy or out of order',
  hint: 'try again later, or see the load of the storage account',
};
const FULL: StoreMeaning = {
  code: 'store/full',
  what: 'there is no space or quota left',
  hint: 'free some space or raise the quota, then try again',
};
const PROTECTED: StoreMeaning = {
  code: 'store/denied',
  what: 'a policy or lease protects the blob',
  hint: 'end the immutability policy, legal hold or lease on the container',
};

/** Codes of Azure's error answers (learn.microsoft.com: Blob Storage error codes). */
const BY_CODE: Readonly<Record<string, StoreMeaning>> = {
  AuthenticationFailed: WRONG_KEY,
  // The emulator's word for a wrong key, Azure's for a network rule.
  AuthorizationFailure: {
    ...WRONG_KEY,
    hint: `${WRONG_KEY.hint}, and the network rules of the account`,
  },
  InvalidAuthenticationInfo: WRONG_KEY,
  NoAuthenticationInformation: WRONG_KEY,
  ContainerNotFound: NO_CONTAINER,
  ResourceNotFound: NO_CONTAINER,
  ContainerBeingDeleted: { ...BUSY, what: 'the container is being deleted' },
  BlobImmutableDueToPolicy: PROTECTED,
  LeaseIdMissing: PROTECTED,
  InvalidResourceName: {
    code: 'store/failed',
    what: 'Azure takes no name like this',
    hint: 'name another container with --bucket, and check the endpoint',
  },
  RequestBodyTooLarge: { code: 'store/unsupported', what: 'the store takes no blob so large' },
  FeatureNotYetSupportedForHierarchicalNamespaceAccounts: {
    code: 'store/unsupported',
    what: 'the account has a hierarchical namespace',
    hint: 'use a storage account without hierarchical namespace',
  },
  Md5Mismatch: { code: 'store/unavailable', what: 'the body was garbled on its way' },
};
const BY_STATUS: Readonly<Record<number, StoreMeaning>> = {
  401: DENIED,
  403: DENIED,
  408: BUSY,
  429: BUSY,
  507: FULL,
};

/** Azure refuses what was signed longer ago. */
const MAX_SKEW_MS = 15 * 60_000;

/** What the SDK hangs on its errors. */
interface SdkError extends Error {
  readonly code?: string;
  readonly statusCode?: number;
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
}

/** Mistakes in the program pass unchanged. */
export function translateError(error: unknown, request: FailedRequest): unknown {
  if (error instanceof CloudvolError || !(error instanceof Error)) return error;
  const into = request.action.endsWith('container') ? '' : ' in container';
  const action = `${request.action}${into} ${request.container} at ${request.endpoint}`;
  const { statusCode: status } = error as SdkError;
  if (status !== undefined && status >= 300) {
    return translateAnswer(error, status, request, action);
  }
  if (/Credential|Authentication/.test(error.name)) {
    return storeError('store/denied', `cannot ${action}: this host has no credentials for it`, {
      hint: 'give an account key or SAS token, or give the host an identity',
    });
  }
  const network = translateNetworkError(error, { action, endpoint: request.endpoint });
  if (network) return network;
  return isForeign(error) ? meaningError(FOREIGN, action, {}) : error;
}

/** As the SDK puts it when an answer breaks off, is no XML, or a success that it does not know. */
function isForeign(error: SdkError): boolean {
  if (error instanceof ForeignAnswer || error.statusCode !== undefined) return true;
  const broken = ['PARSE_ERROR', 'REQUEST_SEND_ERROR'].includes(error.code ?? '');
  return (error.name === 'RestError' && broken) || error.message.startsWith('Invalid state: ');
}

function translateAnswer(
  error: SdkError,
  status: number,
  request: FailedRequest,
  action: string,
): CloudvolError {
  const code = answerCode(error);
  const { key, location } = request;
  if (key !== undefined) {
    if (code === 'BlobNotFound') return notFound(key, location);
    if (code === 'BlobAlreadyExists' || code === 'ConditionNotMet') {
      return alreadyExists(key, location);
    }
  }
  const meaning =
    skewed(error, code, request) ??
    expired(error, status, request) ??
    BY_CODE[code] ??
    byStatus(status, code);
  const header = error.response?.headers?.get('retry-after');
  const rest = restDetails(header, request.nowMs);
  return meaningError(meaning, action, { status, reason: code, ...rest });
}

function byStatus(status: number, code: string): StoreMeaning {
  if (/quota/i.test(code)) return FULL;
  if (BY_STATUS[status]) return BY_STATUS[status];
  if (status >= 500) return { ...BUSY, what: `the store answers with status ${status}` };
  return {
    code: 'store/failed',
    what: `it answers with status ${status}${code && ` (${code})`}`,
    hint: 'check the endpoint and the name of the container',
  };
}

/** A wrong clock looks like a wrong key: Azure signs the time too. */
function skewed(error: SdkError, code: string, { nowMs }: FailedRequest): StoreMeaning | undefined {
  if (BY_CODE[code]?.code !== 'store/denied') return undefined;
  const theirs = Date.parse(error.response?.headers?.get('date') ?? '');
  if (!(Math.abs(nowMs - theirs) > MAX_SKEW_MS)) return undefined;
  return clockSkew(nowMs, theirs);
}

function expired(
  error: SdkError,
  status: number,
  { query, nowMs }: FailedRequest,
): StoreMeaning | undefined {
  if (status !== 403) return undefined;
  const end = Date.parse(new URLSearchParams(query).get('se') ?? '');
  const theirs = Date.parse(error.response?.headers?.get('date') ?? '');
  if (!(end < (Number.isNaN(theirs) ? nowMs : theirs))) return undefined;
  return {
    code: 'store/denied',
    what: `the SAS token expired at ${new Date(end).toISOString()}`,
    hint: 'make a new SAS token',
  };
}

/** An answer to HEAD has no body, so only a header tells. */
export function answerCode(error: unknown): string {
  const { code, response } = error as SdkError;
  return response?.headers?.get('x-ms-error-code') ?? code ?? '';
}
