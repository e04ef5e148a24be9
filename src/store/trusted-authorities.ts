import { X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { storeError } from './store-error.ts';

/**
 * Trusts the well-known authorities and one more. One context serves all connections of a store:
 * parsing the well-known ones takes milliseconds.
 * @param ca PEM
 * @throws CloudvolError `store/failed` when `ca` is no certificate.
 */
export function trusting(ca: string): SecureContext {
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
