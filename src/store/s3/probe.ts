import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { CloudvolError, hasCode } from '../../base/errors.ts';
import type { StoreCapabilities } from '../object-store.ts';
import type { S3Connection } from './connection.ts';
import { deleteBatch, deleteObjects } from './delete-objects.ts';

/** Bodies are held in memory, and one PUT takes 5 GiB: far below both. */
const MAX_OBJECT_BYTES = 1 << 30;
/** What one DeleteObjects takes. */
const MAX_BATCH = 1000;
/** Below no repository's root; what is here for longer than a moment is left of a killed probe. */
const PROBE_PREFIX = '.cloudvol-probe/';
/** Codes of a store, or of a proxy before it, that does not know what it is asked for. */
const LACKING = ['store/unsupported', 'store/failed'];

/**
 * Finds out what the store can do, by an empty object of a name of its own that is removed again:
 * three requests. Says also whether the bucket is there, and makes it if that is wanted.
 * @throws CloudvolError `store/not-found` when there is no bucket, `store/denied` when it can be
 * neither written nor read, and what else a request ends with.
 */
export async function probeStore(
  connection: S3Connection,
  { create }: { readonly create: boolean },
): Promise<StoreCapabilities> {
  const key = `${PROBE_PREFIX}${randomUUID()}`;
  const first = await firstPut(connection, key, create);
  if (first === 'read-only') {
    return { ...capabilities(false, 1), notes: ['it can be read only: what it can do is unknown'] };
  }
  const conditionalPut = first && (await refusesSecondPut(connection, key));
  const batchDelete = (await deletesBatches(connection, key)) ? MAX_BATCH : 1;
  return {
    ...capabilities(conditionalPut, batchDelete),
    notes: [
      conditionalPut
        ? 'it can put only what is absent'
        : 'it cannot put only what is absent: one host at a time may back up a volume',
      batchDelete > 1 ? `it deletes ${batchDelete} objects at once` : 'it deletes one by one',
    ],
  };
}

function capabilities(conditionalPut: boolean, batchDelete: number): StoreCapabilities {
  return { conditionalPut, batchDelete, maxObjectBytes: MAX_OBJECT_BYTES };
}

/** Whether the store takes the condition at all. */
async function firstPut(
  connection: S3Connection,
  key: string,
  create: boolean,
): Promise<boolean | 'read-only'> {
  try {
    return await put(connection, key);
  } catch (error) {
    if (hasCode(error, 'store/denied') && error.details?.['reason'] === 'AccessDenied') {
      await requireReadable(connection);
      return 'read-only';
    }
    if (!create || error === undefined || !isMissingBucket(error)) throw error;
    await createBucket(connection);
    return await put(connection, key);
  }
}

async function put(connection: S3Connection, key: string): Promise<boolean> {
  try {
    await putEmpty(connection, key, true);
    return true;
  } catch (error) {
    if (!(error instanceof CloudvolError) || !LACKING.includes(error.code)) throw error;
    // What fails without the condition, too, has another reason.
    await putEmpty(connection, key, false);
    return false;
  }
}

/** A store that knows no such condition may as well take it and do nothing about it. */
async function refusesSecondPut(connection: S3Connection, key: string): Promise<boolean> {
  try {
    await putEmpty(connection, key, true);
    return false;
  } catch (error) {
    if (hasCode(error, 'store/exists')) return true;
    throw error;
  }
}

async function putEmpty(connection: S3Connection, key: string, ifAbsent: boolean): Promise<void> {
  const input = { Bucket: connection.bucket, Key: key, Body: new Uint8Array(0) };
  const condition = ifAbsent ? { IfNoneMatch: '*' } : {};
  await connection.run({ action: `put ${key}`, key, repeatable: !ifAbsent }, (client) =>
    client.send(new PutObjectCommand({ ...input, ...condition })),
  );
}

async function deletesBatches(connection: S3Connection, key: string): Promise<boolean> {
  try {
    await deleteBatch(connection, [key]);
    return true;
  } catch (error) {
    if (!(error instanceof CloudvolError)) throw error;
    // A credential that may write and not delete is no reason to refuse it.
    if (error.code === 'store/denied') return false;
    await deleteObjects(connection, [key], { batch: 1 });
    return false;
  }
}

function isMissingBucket(error: unknown): boolean {
  return hasCode(error, 'store/not-found') && error.details?.['reason'] === 'NoSuchBucket';
}

async function createBucket(connection: S3Connection): Promise<void> {
  const Bucket = connection.bucket;
  await connection.run({ action: 'create the bucket' }, (client) =>
    client.send(new CreateBucketCommand({ Bucket })).catch((error: unknown) => {
      // Another host was faster. Somebody else's bucket shows at the next put.
      const { name } = error as Error;
      if (!/^BucketAlready(OwnedByYou|Exists)$/.test(name)) throw error;
    }),
  );
}

async function requireReadable(connection: S3Connection): Promise<void> {
  const input = { Bucket: connection.bucket, MaxKeys: 1 };
  await connection.run({ action: 'list all objects' }, (client) =>
    client.send(new ListObjectsV2Command(input)),
  );
}
