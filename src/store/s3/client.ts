import { hash } from 'node:crypto';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Target } from '../store-target.ts';
import type { Agents } from './agents.ts';
import type { Endpoint } from './endpoints.ts';

/** A host that does not take a connection for so long is not there: others are tried. */
const CONNECTION_LIMIT_MS = 5000;
/** Without a byte for so long: as the deadline layer, for calls that have none (opening). */
const SILENCE_LIMIT_MS = 60_000;

/** The headers of an answer, which the SDK's outputs leave out. */
export type Headers = Readonly<Record<string, string>>;

/**
 * A client of one endpoint, with all that the SDK does on its own switched off: it does not try
 * again, follow redirections, correct the clock, read endpoints from the environment, or add
 * checksums that third-party stores refuse.
 */
export function makeClient(target: S3Target, endpoint: Endpoint, agents: Agents): S3Client {
  const client = new S3Client({
    ...placeOf(target, endpoint),
    ...credentialsOf(target),
    maxAttempts: 1,
    disableClockSkewCorrection: true,
    ignoreConfiguredEndpointUrls: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: {
      ...agents,
      connectionTimeout: CONNECTION_LIMIT_MS,
      socketTimeout: SILENCE_LIMIT_MS,
    },
  });
  addMiddleware(client, target.disableSsl ?? false);
  return client;
}

function placeOf({ region, virtualHost }: S3Target, endpoint: Endpoint) {
  if (endpoint.url === undefined) {
    // Without a region the SDK looks into the environment and the profile.
    return { ...(region === undefined ? {} : { region }), forcePathStyle: virtualHost === false };
  }
  return {
    endpoint: endpoint.url,
    region: region ?? 'us-east-1',
    forcePathStyle: !virtualHost,
  };
}

function credentialsOf({ accessKey, secretKey }: S3Target): S3ClientConfig {
  if (accessKey === undefined || secretKey === undefined) return {};
  return { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } };
}

interface Request {
  protocol: string;
  headers: Record<string, string>;
  body?: unknown;
}

function addMiddleware(client: S3Client, disableSsl: boolean): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request = args.request as Request;
      if (disableSsl) request.protocol = 'http:';
      // Batch deletes want a checksum; this one is the only one that every store knows.
      if (context.commandName === 'DeleteObjectsCommand') useContentMd5(request);
      // TLS guards the body already, so that it need not be hashed for the signature.
      if (!disableSsl && request.body) request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    // After the SDK has built the request, before it is signed.
    { name: 'cloudvolBody', step: 'build', priority: 'low' },
  );
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers: Headers };
      Object.assign((result.output as { $metadata: object }).$metadata, { headers });
      return result;
    },
    { name: 'cloudvolHeaders', step: 'deserialize', priority: 'high' },
  );
}

/** The answer's headers, as a middleware of `makeClient` left them. */
export function headersOf(output: { readonly $metadata: object }): Headers {
  return (output.$metadata as { headers?: Headers }).headers ?? {};
}

function useContentMd5(request: Request): void {
  for (const name of Object.keys(request.headers)) {
    if (/^x-amz-(checksum|sdk-checksum)/i.test(name)) delete request.headers[name];
  }
  request.headers['content-md5'] = hash('md5', request.body as string | Uint8Array, 'base64');
}
