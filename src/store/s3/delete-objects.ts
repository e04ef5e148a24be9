import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { mapLimited } from '../../base/map-limited.ts';
import { storeError } from '../store-error.ts';
import type { S3Connection } from './connection.ts';

/** Deletes of one call under way at once where each key is a request of its own. */
const CONCURRENT_DELETES = 4;

/** Deletes keys in batches of `batch`, or one by one where that is 1. */
export async function deleteObjects(
  connection: S3Connection,
  keys: readonly string[],
  { batch, signal }: { readonly batch: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const distinct = [...new Set(keys)];
  if (batch === 1) {
    const options = { limit: CONCURRENT_DELETES, ...(signal ? { signal } : {}) };
    await mapLimited(distinct, (key) => deleteOne(connection, key, signal), options);
    return;
  }
  for (let start = 0; start < distinct.length; start += batch) {
    await deleteBatch(connection, distinct.slice(start, start + batch), signal);
  }
}

async function deleteOne(connection: S3Connection, key: string, signal?: AbortSignal) {
  const input = { Bucket: connection.bucket, Key: key };
  await connection.run({ action: `delete ${key}`, signal }, (client, options) =>
    client.send(new DeleteObjectCommand(input), options).catch(unlessAbsent),
  );
}

/** @throws CloudvolError for the first key that the store refuses to delete. */
export async function deleteBatch(
  connection: S3Connection,
  keys: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  // Every key is named in the answer: silence would be what somebody else says, too.
  const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: false };
  const action = `delete ${keys.length} objects`;
  const output = await connection.run({ action, signal }, (client, options) =>
    client.send(new DeleteObjectsCommand({ Bucket: connection.bucket, Delete }), options),
  );
  const refused = output.Errors?.find(({ Code }) => Code !== 'NoSuchKey');
  if (!refused) {
    const answers = [...(output.Deleted ?? []), ...(output.Errors ?? [])];
    const named = new Set(answers.map(({ Key }) => Key));
    const unnamed = keys.filter((key) => !named.has(key));
    await deleteObjects(connection, unnamed, { batch: 1, signal });
    return;
  }
  const { Key = '', Code = '' } = refused;
  const code = /Denied/.test(Code) ? 'store/denied' : 'store/unavailable';
  throw storeError(code, `cannot delete ${Key} in ${connection.location}: ${Code}`, {
    details: { key: Key, reason: Code },
    ...(code === 'store/denied' ? { hint: 'allow s3:DeleteObject on the objects' } : {}),
  });
}

/** Some stores answer 404 to the deletion of what is not there; a missing bucket is an error. */
function unlessAbsent(error: unknown): void {
  if ((error as { name?: string }).name !== 'NoSuchKey') throw error;
}
