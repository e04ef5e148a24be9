import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext, rootCertificates } from 'node:tls';
import { messageOf } from '../base/errors.ts';
import { storeError } from './store-error.ts';

/**
 * The connections of one store, kept open between requests and closed by `destroy()`. Honours
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment, as the provider's own tools do.
 * @param ca PEM of authorities to trust besides the well-known ones.
 * @throws CloudvolError `store/failed` when `ca` is no certificate.
 */
export function networkAgent(url: URL, ca?: string): http.Agent | https.Agent {
  const options = { keepAlive: true, proxyEnv: process.env };
  if (url.protocol === 'http:') return new http.Agent(options);
  if (ca === undefined) return new https.Agent(options);
  checkCertificates(ca);
  // A list of authorities takes the place of the well-known ones, so these are in it.
  return new https.Agent({ ...options, ca: [...rootCertificates, ca] });
}

function checkCertificates(ca: string): void {
  try {
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('no PEM block is in it');
    createSecureContext({ ca });
  } catch (error) {
    throw storeError(
      'store/failed',
      `the certificate authority to trust is no certificate in PEM: ${messageOf(error)}`,
      { hint: 'give a file that begins with -----BEGIN CERTIFICATE-----' },
    );
  }
}
