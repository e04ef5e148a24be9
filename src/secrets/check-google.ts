import { badField } from './bad-field.ts';
import { checkUrl } from './check-url.ts';
import { chooseOne } from './choose-one.ts';
import type { CredentialFields, GoogleSettings } from './credential.ts';
import { present } from './present.ts';

/** @throws CloudvolError `credential/bad-field`, `credential/bad-combination` */
export function checkGoogle(fields: CredentialFields): GoogleSettings {
  const { jsonKey, endpoint, bucket, ca } = fields;
  if (endpoint !== undefined) checkUrl('google', endpoint);
  // Another endpoint than Google's may ask for nobody's name.
  if (endpoint === undefined || jsonKey !== undefined) chooseOne(fields, ['jsonKey', 'useIam']);
  const own = jsonKey === undefined ? undefined : projectOf(jsonKey);
  const projectId = fields.projectId ?? own;
  return { provider: 'google', ...present({ projectId, endpoint, bucket, ca }) };
}

/** The project that the key belongs to. */
function projectOf(jsonKey: string): string | undefined {
  const key = parse(jsonKey);
  const isKey = typeof key['client_email'] === 'string' && typeof key['private_key'] === 'string';
  if (!isKey) {
    throw badField('google', 'jsonKey', "is not a service account's JSON key", {
      hint: 'make one with: gcloud iam service-accounts keys create',
    });
  }
  return typeof key['project_id'] === 'string' ? key['project_id'] : undefined;
}

function parse(jsonKey: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(jsonKey);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The parser's own words would quote the key.
  }
  throw badField('google', 'jsonKey', 'is not JSON');
}
