import type { FastifyReply } from 'fastify';

import { drained } from '../base/drained.ts';
import type { CloudvolError } from '../base/errors.ts';
import { toErrorBody } from './error-body.ts';
import { END_TRAILER, ERROR_TRAILER } from './stream-trailers.ts';

/**
 * Sends chunks as they come, at the pace of whoever reads them. The status is sent with the first
 * one, so that a failure before it is an ordinary error. How a stream ended stands in its trailers:
 * without one it was cut off.
 * @param toldError what the caller is to hear of a failure in the middle
 * @throws what the iterable throws before its first chunk
 */
export async function sendStream(
  reply: FastifyReply,
  contentType: string,
  chunks: AsyncIterable<Uint8Array>,
  toldError: (thrown: unknown) => CloudvolError,
): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  let next = await iterator.next();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': contentType,
    trailer: `${END_TRAILER}, ${ERROR_TRAILER}`,
  });
  try {
    for (; !next.done && !raw.destroyed; next = await iterator.next()) {
      if (!raw.write(next.value)) await drained(raw);
    }
    raw.addTrailers({ [END_TRAILER]: 'complete' });
  } catch (error) {
    // A header takes a line of ASCII.
    const body = encodeURIComponent(JSON.stringify(toErrorBody(toldError(error))));
    raw.addTrailers({ [ERROR_TRAILER]: body });
  } finally {
    await iterator.return?.();
  }
  raw.end();
}
