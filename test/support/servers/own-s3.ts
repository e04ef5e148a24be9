import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import type { S3Target } from '../../../src/store/store-target.ts';

/** What a listing of nothing says. */
export const NO_OBJECTS = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>';

export interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The answer to the `count`-th request, from 1; undefined: as an empty store would. */
export type S3Script = (request: IncomingMessage, count: number) => S3Answer | undefined;

/**
 * No S3: a server of our own, for answers that the servers which tests start do not give, in the
 * words of Amazon's documentation. It checks no signature and keeps no body.
 */
export async function startOwnS3(t: ExecutionContext, script: S3Script): Promise<S3Target> {
  let count = 0;
  const otherwise = emptyStore();
  const server = createServer((request, response) => {
    const { status, headers, body } = script(request, ++count) ?? otherwise(request);
    request.resume().on('end', () => {
      response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  const endpoints = [`127.0.0.1:${port}`];
  const keys = { accessKey: 'KEY', secretKey: 'secret' };
  return { provider: 's3', bucket: 'box', disableSsl: true, endpoints, ...keys };
}

/** `<Error>` of the REST API. */
export function s3Error(
  status: number,
  code: string,
  { headers = {}, fields = '' }: { headers?: Record<string, string>; fields?: string } = {},
): S3Answer {
  const body = `<Error><Code>${code}</Code><Message>m</Message>${fields}</Error>`;
  return { status, headers, body };
}

/** Nothing is read of it; of two conditional puts of one key the second is refused. */
function emptyStore(): (request: IncomingMessage) => S3Answer {
  const taken = new Set<string>();
  return ({ method, url = '', headers }) => {
    if (method === 'POST') return { status: 200, body: '<DeleteResult></DeleteResult>' };
    if (method === 'DELETE') return { status: 204 };
    if (method === 'GET' && url.includes('list-type')) return { status: 200, body: NO_OBJECTS };
    if (method === 'GET') return s3Error(404, 'NoSuchKey');
    if (headers['if-none-match'] && taken.has(url)) return s3Error(412, 'PreconditionFailed');
    taken.add(url);
    return { status: 200, headers: { etag: '"e"' } };
  };
}
