import type { S3Server } from './server.ts';

/**
 * The S3 server that `CLOUDVOL_TEST_S3` names (`http://ACCESS_KEY:SECRET_KEY@127.0.0.1:9000`), for
 * the contract on a store that tests do not start themselves; undefined: none. It gets buckets.
 */
export function givenS3(): S3Server | undefined {
  const url = URL.parse(process.env['CLOUDVOL_TEST_S3'] ?? '');
  if (!url) return undefined;
  const [accessKey, secretKey] = [url.username, url.password].map(decodeURIComponent);
  const keys = { accessKey: accessKey ?? '', secretKey: secretKey ?? '' };
  const place = { endpoints: [url.host], disableSsl: url.protocol === 'http:' };
  return {
    endpoint: url.host,
    ...keys,
    target: (bucket) => ({ provider: 's3', bucket, create: true, ...place, ...keys }),
    stop: async () => {},
  };
}
