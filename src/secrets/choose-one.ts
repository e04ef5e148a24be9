import { CloudvolError } from '../base/errors.ts';
import { flagOf } from '../config/provider-fields.ts';
import type { CredentialFields } from './credential.ts';

/**
 * Of several ways to say who one is, exactly one.
 * @throws CloudvolError `credential/bad-combination`
 */
export function chooseOne<Field extends keyof CredentialFields>(
  fields: CredentialFields,
  ways: readonly Field[],
): Field {
  const { provider } = fields;
  const [chosen, other] = ways.filter((way) => fields[way] !== undefined && fields[way] !== false);
  const flags = ways.map((way) => flagOf(provider, way));
  if (chosen === undefined) {
    throw new CloudvolError(
      'credential/bad-combination',
      `a credential of ${provider} needs a key: ${flags[0]} is missing`,
      { hint: `give one of ${flags.join(', ')}` },
    );
  }
  if (other === undefined) return chosen;
  throw new CloudvolError(
    'credential/bad-combination',
    `${flagOf(provider, chosen)} and ${flagOf(provider, other)} exclude each other`,
    { hint: `give one of ${flags.join(', ')}` },
  );
}
