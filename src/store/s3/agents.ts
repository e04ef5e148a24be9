import * as http from 'node:http';
import * as https from 'node:https';
import { X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates } from 'node:tls';
import { storeError } from '../store-error.ts';

export interface Agents {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
}

/**
 * Connections that are kept between requests. Their number is bounded by the requests that the
 * layers above let through: a queue in here would count as a connection that does not come about.
 * @throws CloudvolError `store/failed` when `ca` is no certificate.
 */
export function openAgents(ca: string | undefined): Agents {
  const options = { keepAlive: true };
  return {
    httpAgent: new http.Agent(options),
    httpsAgent: new https.Agent(
      // One context for all connections: parsing the well-known authorities takes milliseconds.
      ca === undefined ? options : { ...options, secureContext: trust(ca) },
    ),
  };
}

function trust(ca: string) {
  try {
    // OpenSSL passes over text without a certificate in silence.
    void new X509Certificate(ca);
    return createSecureContext({ ca: [...getCACertificates('default'), ca] });
  } catch (error) {
    throw storeError(
      'store/failed',
      'the certificate authority to trust is no certificate in PEM',
      {
        hint: 'give a file that begins with -----BEGIN CERTIFICATE----- with --ca',
        cause: error,
      },
    );
  }
}
