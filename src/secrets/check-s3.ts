import { CloudvolError } from '../base/errors.ts';
import { badField } from './bad-field.ts';
import { chooseOne } from './choose-one.ts';
import type { CredentialFields, S3Settings } from './credential.ts';
import { present } from './present.ts';

const REGION = /^[A-Za-z0-9-]{1,64}$/;
/** A host name, an IPv4 address or an IPv6 one in brackets, and a port. */
const ENDPOINT =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;
const MAX_PORT = 65_535;
/** Amazon's, and what other stores let their administrators define. */
const STORAGE_CLASS = /^[A-Z0-9_-]{1,64}$/;
/** Objects of these have to be thawed for hours before they can be read. */
const FROZEN_CLASSES = ['GLACIER', 'DEEP_ARCHIVE'];
const SSE = ['AES256', 'aws:kms'] as const;

/** @throws CloudvolError `credential/bad-field`, `credential/bad-combination` */
export function checkS3(fields: CredentialFields): S3Settings {
  checkKeys(fields);
  const { endpoints, region, storageClass, sse, accessKey, bucket, ca } = fields;
  for (const endpoint of endpoints ?? []) checkEndpoint(endpoint);
  if (region !== undefined && !REGION.test(region)) {
    throw badField('s3', 'region', `${JSON.stringify(region)} is not a region`);
  }
  if (storageClass !== undefined) checkStorageClass(storageClass);
  return {
    provider: 's3',
    ...present({
      endpoints,
      region,
      accessKey,
      storageClass,
      bucket,
      ca,
      sse: sse === undefined ? undefined : checkSse(sse),
      disableSsl: fields.disableSsl || undefined,
      virtualHost: fields.virtualHost || undefined,
    }),
  };
}

function checkKeys(fields: CredentialFields): void {
  const { accessKey, secretKey } = fields;
  if (chooseOne(fields, ['accessKey', 'useIam']) === 'accessKey' && secretKey !== undefined) {
    if (accessKey && /^[\x21-\x7e]+$/.test(accessKey) && secretKey !== '') return;
    throw badField('s3', 'accessKey', 'and --s3-secret-key have to be printable and not empty');
  }
  if (accessKey === undefined && secretKey === undefined) return;
  const [given, missing] =
    accessKey === undefined
      ? ['--s3-secret-key', '--s3-access-key']
      : ['--s3-access-key', '--s3-secret-key'];
  throw new CloudvolError('credential/bad-combination', `${given} was given without ${missing}`, {
    hint: 'give both keys, or none of them and --use-iam',
  });
}

function checkEndpoint(endpoint: string): void {
  const port = ENDPOINT.exec(endpoint);
  if (port && Number(port[1] ?? 1) >= 1 && Number(port[1] ?? 1) <= MAX_PORT) return;
  const isUrl = /^https?:\/\//i.test(endpoint);
  throw badField('s3', 'endpoints', `${JSON.stringify(endpoint)} is not host:port`, {
    hint: isUrl
      ? 'leave https:// out; instead of http:// say --s3-disable-ssl'
      : 'several are separated by commas: host:port,host:port',
  });
}

function checkStorageClass(storageClass: string): void {
  const what = JSON.stringify(storageClass);
  if (FROZEN_CLASSES.includes(storageClass)) {
    throw badField('s3', 'storageClass', `${what} cannot be read at once, as restores have to`, {
      hint: 'use STANDARD, STANDARD_IA or GLACIER_IR',
    });
  }
  if (STORAGE_CLASS.test(storageClass)) return;
  throw badField('s3', 'storageClass', `${what} is not a storage class`, {
    hint: 'use STANDARD or STANDARD_IA',
  });
}

function checkSse(sse: string): (typeof SSE)[number] {
  const found = SSE.find((known) => known === sse);
  if (found) return found;
  throw badField('s3', 'sse', `${JSON.stringify(sse)} is not known`, {
    hint: `use ${SSE.join(' or ')}`,
  });
}
