/**
 * What can go wrong between here and a store on a network, before the store itself says anything:
 * names, connections, TLS. The backends for S3, Azure and Google all translate these failures here,
 * so that one cause has one sentence whichever SDK met it.
 */
import type { CloudvolError } from '../base/errors.ts';
import type { StoreErrorCode } from './object-store.ts';
import { storeError } from './store-error.ts';

export interface NetworkPlace {
  /** What was tried, on what: `put a/b in azure://box at https://…`. */
  readonly action: string;
  /** Where to: URL or `host:port`. No secret may be in it. */
  readonly endpoint: string;
}

interface Meaning {
  readonly code: StoreErrorCode;
  readonly what: (endpoint: string) => string;
  readonly hint: string;
}

/** Names and routes come back: a volume that is being read waits for them. */
const NO_HOST: Meaning = {
  code: 'store/unavailable',
  what: (endpoint) => `the host of ${endpoint} cannot be found`,
  hint: 'check the name of the account or endpoint, and the name service of this host',
};
const REFUSED: Meaning = {
  code: 'store/unavailable',
  what: (endpoint) => `nothing listens at ${endpoint}`,
  hint: 'check host and port of the endpoint, and whether the store is running',
};
const CUT: Meaning = {
  code: 'store/unavailable',
  what: (endpoint) => `${endpoint} broke off the connection`,
  hint: 'check the network to the store, and whether the endpoint wants https',
};
const UNREACHABLE: Meaning = {
  code: 'store/unavailable',
  what: (endpoint) => `${endpoint} cannot be reached`,
  hint: 'check the network to the store',
};
const UNKNOWN_CA: Meaning = {
  code: 'store/failed',
  what: (endpoint) => `the certificate of ${endpoint} is signed by an authority unknown here`,
  hint: "give the authority's certificate with --ca FILE",
};
/** It will be renewed, as a clock will be set: a volume that is being read waits for that. */
const EXPIRED: Meaning = {
  code: 'store/unavailable',
  what: (endpoint) => `the certificate of ${endpoint} has expired`,
  hint: 'renew the certificate at the store; if it is newer, check the clock of this host',
};
const TOO_EARLY: Meaning = {
  code: 'store/unavailable',
  what: (endpoint) => `the certificate of ${endpoint} is not valid yet`,
  hint: 'check the clock of this host (timedatectl set-ntp true)',
};
const OTHER_NAME: Meaning = {
  code: 'store/failed',
  what: (endpoint) => `the certificate of ${endpoint} is made for another host`,
  hint: 'use the host name that the certificate is made for',
};
const NO_TLS: Meaning = {
  code: 'store/failed',
  what: (endpoint) => `${endpoint} does not answer in TLS`,
  hint: 'check the port, or use plain http if the store has no TLS',
};
const NO_HTTP: Meaning = {
  code: 'store/failed',
  what: (endpoint) => `${endpoint} does not answer in HTTP`,
  hint: 'check the port; use https if the store speaks TLS there',
};

/** Codes of Node's net, dns, tls and http modules; X509_V_ERR_* as node:tls names them. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOTFOUND: NO_HOST,
  EAI_AGAIN: NO_HOST,
  EAI_FAIL: NO_HOST,
  EAI_NODATA: NO_HOST,
  EAI_NONAME: NO_HOST,
  ECONNREFUSED: REFUSED,
  ECONNRESET: CUT,
  ECONNABORTED: CUT,
  EPIPE: CUT,
  ERR_STREAM_PREMATURE_CLOSE: CUT,
  ERR_SSL_UNEXPECTED_EOF_WHILE_READING: CUT,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  EHOSTDOWN: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ENETDOWN: UNREACHABLE,
  EADDRNOTAVAIL: UNREACHABLE,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  CERT_UNTRUSTED: UNKNOWN_CA,
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: TOO_EARLY,
  ERR_TLS_CERT_ALTNAME_INVALID: OTHER_NAME,
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};

/** How deep SDKs wrap: far below this. */
const MAX_DEPTH = 6;

/**
 * The CloudvolError for a failure of the network that `error` is, or was caused by; undefined when
 * it is something else. The original is not kept as a cause: SDKs hang the request with its
 * signature on it.
 */
export function translateNetworkError(
  error: unknown,
  { action, endpoint }: NetworkPlace,
): CloudvolError | undefined {
  const reason = networkCodeOf(error);
  const meaning = reason === undefined ? undefined : meaningOf(reason);
  if (reason === undefined || !meaning) return undefined;
  return storeError(meaning.code, `cannot ${action}: ${meaning.what(endpoint)}`, {
    hint: meaning.hint,
    details: { reason },
  });
}

function networkCodeOf(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > MAX_DEPTH) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code !== undefined && meaningOf(code)) return code;
  const inner: unknown[] = error instanceof AggregateError ? error.errors : [];
  for (const next of [error.cause, ...inner]) {
    const found = networkCodeOf(next, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** HPE_* are the complaints of Node's HTTP parser. */
function meaningOf(code: string): Meaning | undefined {
  return MEANINGS[code] ?? (code.startsWith('HPE_') ? NO_HTTP : undefined);
}
