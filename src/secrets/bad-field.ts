import { CloudvolError, type ErrorDetails } from '../base/errors.ts';
import { flagOf, type Provider } from '../config/provider-fields.ts';

/** A field that cannot be so. @param what continues `--flag …`; never quotes a secret */
export function badField(
  provider: Provider,
  field: string,
  what: string,
  details: ErrorDetails = {},
): CloudvolError {
  return new CloudvolError('credential/bad-field', `${flagOf(provider, field)} ${what}`, details);
}
