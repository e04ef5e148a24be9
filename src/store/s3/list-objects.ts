import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { compareKeys } from '../key.ts';
import type { ObjectInfo } from '../object-store.ts';
import { storeError } from '../store-error.ts';
import { ForeignAnswer } from '../store-meaning.ts';
import type { S3Connection } from './connection.ts';
import { wholeSecond } from './whole-second.ts';

/** Every key with the prefix, page by page. @throws `store/failed` when they come out of order. */
export async function* listObjects(
  connection: S3Connection,
  prefix: string,
  { signal, pageKeys }: { readonly signal?: AbortSignal | undefined; readonly pageKeys: number },
): AsyncGenerator<ObjectInfo> {
  const action = `list ${prefix || 'all objects'}`;
  let last: string | undefined;
  let next: { ContinuationToken?: string; StartAfter?: string } = {};
  for (;;) {
    signal?.throwIfAborted();
    const page = await connection.run({ action, signal }, async (client, options) => {
      const output = await client.send(
        new ListObjectsV2Command({
          Bucket: connection.bucket,
          Prefix: prefix,
          // Keys with characters that XML cannot carry would spoil the page.
          EncodingType: 'url',
          MaxKeys: pageKeys,
          ...next,
        }),
        options,
      );
      // The SDK finds an empty listing in whatever is well-formed.
      if (output.IsTruncated === undefined) throw new ForeignAnswer();
      return output;
    });
    for (const info of infosOf(page)) {
      if (
        !info.key.startsWith(prefix) ||
        (last !== undefined && compareKeys(info.key, last) <= 0)
      ) {
        throw outOfOrder(connection, prefix, info.key);
      }
      last = info.key;
      signal?.throwIfAborted();
      yield info;
    }
    if (!page.IsTruncated) return;
    if (page.NextContinuationToken) next = { ContinuationToken: page.NextContinuationToken };
    else if (last !== undefined && page.Contents?.length) next = { StartAfter: last };
    else throw outOfOrder(connection, prefix, last ?? '');
  }
}

function* infosOf(page: ListObjectsV2CommandOutput): Generator<ObjectInfo> {
  const encoded = page.EncodingType === 'url';
  for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
    yield {
      key: encoded ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key,
      sizeBytes: Size,
      modifiedMs: wholeSecond(LastModified),
    };
  }
}

function outOfOrder({ location }: S3Connection, prefix: string, key: string) {
  return storeError('store/failed', `${location} does not list ${prefix} in order at ${key}`, {
    hint: 'this store cannot be used: its listings cannot be trusted',
  });
}
