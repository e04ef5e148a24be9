import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { messageOf } from '../../base/errors.ts';
import { resolveRange, type ByteRange } from '../byte-range.ts';
import { storeError } from '../store-error.ts';
import { statusOf } from './translate-error.ts';
import type { SendOptions } from './connection.ts';

type Chunks = AsyncIterable<Uint8Array> & { destroy(): void };

/**
 * The body of an object, or the range of it, of exactly the length that was announced.
 * @throws CloudvolError `store/range`; `store/corrupt` when a complete answer has another length;
 * `store/unavailable` when the connection breaks off in the body. What the SDK throws, otherwise.
 */
export async function readObject(
  client: S3Client,
  options: SendOptions,
  object: { readonly bucket: string; readonly key: string; readonly range?: ByteRange | undefined },
): Promise<Uint8Array> {
  const { key, range } = object;
  const output = await sendGet(client, options, object);
  const chunks = output.Body as unknown as Chunks | undefined;
  try {
    if (!range || output.$metadata.httpStatusCode !== 206) {
      // A store that ignores ranges gives all of it.
      const body = await readAll(chunks, key, output.ContentLength);
      const { offset, length } = resolveRange(key, range, body.length);
      return range ? body.slice(offset, offset + length) : body;
    }
    checkContentRange(key, range, output.ContentRange ?? '');
    return await readAll(chunks, key, range.length);
  } catch (error) {
    chunks?.destroy();
    throw error;
  }
}

async function sendGet(
  client: S3Client,
  options: SendOptions,
  { bucket, key, range }: Parameters<typeof readObject>[2],
): Promise<GetObjectCommandOutput> {
  const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
  try {
    const input = { Bucket: bucket, Key: key, ...(Range ? { Range } : {}) };
    return await client.send(new GetObjectCommand(input), options);
  } catch (error) {
    if (!range || statusOf(error) !== 416) throw error;
    throw storeError('store/range', `${key} ends before byte ${range.offset + range.length}`, {
      details: { key, ...range },
    });
  }
}

/** `bytes 0-4/10`, RFC 9110 14.4. */
function checkContentRange(key: string, range: ByteRange, header: string): void {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header) ?? [];
  if (size !== undefined && size !== '*') resolveRange(key, range, Number(size));
  const end = range.offset + range.length - 1;
  if (Number(first) === range.offset && Number(last) === end) return;
  throw storeError(
    'store/corrupt',
    `${key} gave ${header || 'no range'} for ${range.offset}-${end}`,
  );
}

async function readAll(
  chunks: Chunks | undefined,
  key: string,
  length: number | undefined,
): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let got = 0;
  try {
    for await (const chunk of chunks ?? []) {
      got += chunk.length;
      if (length !== undefined && got > length) break;
      read.push(chunk);
    }
  } catch (error) {
    throw storeError('store/unavailable', `the body of ${key} broke off after ${got} bytes`, {
      hint: 'check the network to the store',
      details: { key, got, reason: messageOf(error) },
    });
  }
  if (length !== undefined && got !== length) {
    const words = got > length ? 'more than' : `${got} of`;
    throw storeError('store/corrupt', `the body of ${key} has ${words} ${length} bytes`, {
      details: { key, got, length },
    });
  }
  const only = read[0];
  return read.length === 1 && only ? new Uint8Array(only) : Buffer.concat(read, got);
}
