import type { CloudvolError } from '../base/errors.ts';
import { storeError } from './store-error.ts';

/**
 * All bytes of a stream that must give exactly `length`.
 * @throws CloudvolError `store/corrupt` when it ends before, breaks off, or gives more.
 */
export async function readBody(
  stream: AsyncIterable<Uint8Array>,
  key: string,
  length: number,
): Promise<Uint8Array> {
  const body = new Uint8Array(length);
  let filled = 0;
  try {
    for await (const chunk of stream) {
      if (filled + chunk.length > length) throw wrongLength(key, filled + chunk.length, length);
      body.set(chunk, filled);
      filled += chunk.length;
    }
  } catch (error) {
    // A stream that breaks off may say so in as many ways as there are streams.
    if (filled < length) throw wrongLength(key, filled, length);
    throw error;
  }
  if (filled < length) throw wrongLength(key, filled, length);
  return body;
}

/** A body is not as long as the store or the range says. */
export function wrongLength(key: string, got: number, wanted: number): CloudvolError {
  const amount = got > wanted ? 'more' : 'less';
  return storeError('store/corrupt', `the body of ${key} has ${amount} than its ${wanted} bytes`, {
    details: { key, wanted, got },
  });
}
