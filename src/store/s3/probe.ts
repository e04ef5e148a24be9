import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CloudvolError, hasCode } from '../../base/errors.ts';
import type { StoreCapabilities } from '../object-store.ts';
import { storeError } from '../store-error.ts';
import type { Attributes } from './attributes.ts';
import { PROBE_PREFIX } from '../trial-objects.ts';
import type { S3Connection } from './connection.ts';
import { deleteBatch, deleteObjects } from './delete-objects.ts';
import { listObjects } from './list-objects.ts';

/** Bodies are held in memory, and one PUT takes 5 GiB: far below both. */
const MAX_OBJECT_BYTES = 1 << 30;
/** What one DeleteObjects takes. */
const MAX_BATCH = 1000;
/** Codes of a store, or of a proxy before it, that does not know what it is asked for. */
const LACKING = ['store/unsupported', 'store/failed'];

const CONDITION = { IfNoneMatch: '*' };
const ATTRIBUTES = [
  ['StorageClass', 'storage class', '--s3-storage-class'],
  ['ServerSideEncryption', 'encryption', '--s3-sse'],
] as const;

export interface ProbeOptions {
  /** Whether to make the bucket when it is missing. */
  readonly create: boolean;
  /** What objects will be put with: the store has to know it. */
  readonly attributes: Attributes;
}

interface Probe {
  readonly connection: S3Connection;
  readonly key: string;
  readonly attributes: Attributes;
}

/**
 * Finds out what the store can do, by an empty object of a name of its own that is removed again:
 * three requests. Says also whether the bucket is there, and makes it if that is wanted.
 * @throws CloudvolError `store/not-found` when there is no bucket, `store/denied` when it can be
 * neither written nor read, `store/unsupported` when it does not know an attribute, and what else a
 * request ends with.
 */
export async function probeStore(
  connection: S3Connection,
  { create, attributes }: ProbeOptions,
): Promise<StoreCapabilities> {
  const probe = { connection, key: `${PROBE_PREFIX}${randomUUID()}`, attributes };
  const first = await firstPut(probe, create);
  if (first === 'read-only') {
    return { ...capabilities(false, 1), notes: ['it can be read only: what it can do is unknown'] };
  }
  const conditionalPut = first && (await refusesSecondPut(probe));
  const batchDelete = (await deletesBatches(probe)) ? MAX_BATCH : 1;
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
async function firstPut(probe: Probe, create: boolean): Promise<boolean | 'read-only'> {
  try {
    return await put(probe);
  } catch (error) {
    if (isAccessDenied(error)) {
      await blameEncryption(probe);
      await requireReadable(probe.connection);
      return 'read-only';
    }
    if (!create || error === undefined || !isMissingBucket(error)) throw error;
    await createBucket(probe.connection);
    return await put(probe);
  }
}

async function put(probe: Probe): Promise<boolean> {
  try {
    await putEmpty(probe, CONDITION);
    return true;
  } catch (error) {
    if (!isLacking(error)) throw error;
  }
  try {
    // What fails without the condition, too, has another reason.
    await putEmpty(probe);
    return false;
  } catch (error) {
    if (isLacking(error)) await blameAttribute(probe);
    throw error;
  }
}

/**
 * Stores refuse an attribute in words of their own, or in none: which one it was, puts tell.
 * @throws CloudvolError `store/unsupported` when it was one
 */
async function blameAttribute(probe: Probe): Promise<void> {
  const { connection, key, attributes } = probe;
  if (!(await isPut({ ...probe, attributes: {} }))) return;
  for (const [name, what, flag] of ATTRIBUTES) {
    const value = attributes[name];
    if (!value || (await isPut({ ...probe, attributes: { [name]: value } }))) continue;
    await deleteObjects(connection, [key], { batch: 1 });
    throw storeError('store/unsupported', `${connection.location} knows no ${what} ${value}`, {
      hint: `choose another with ${flag}, or leave it out`,
      details: { [name]: value },
    });
  }
}

/**
 * Whoever may write, and not use the key of the encryption, is told the same as who may not write.
 * @throws CloudvolError `store/denied` when it is the encryption
 */
async function blameEncryption({ connection, key, attributes }: Probe): Promise<void> {
  const { ServerSideEncryption: encryption, ...others } = attributes;
  if (encryption === undefined) return;
  try {
    await putEmpty({ connection, key, attributes: others });
  } catch (error) {
    if (isAccessDenied(error)) return;
    throw error;
  }
  await deleteObjects(connection, [key], { batch: 1 });
  const what = `${connection.location} does not let us encrypt by ${encryption}`;
  throw storeError('store/denied', what, {
    hint: 'allow kms:GenerateDataKey and kms:Decrypt, or leave --s3-sse out',
  });
}

function isAccessDenied(error: unknown): boolean {
  return hasCode(error, 'store/denied') && error.details?.['reason'] === 'AccessDenied';
}

async function isPut(probe: Probe): Promise<boolean> {
  try {
    await putEmpty(probe);
    return true;
  } catch (error) {
    if (!isLacking(error)) throw error;
    return false;
  }
}

function isLacking(error: unknown): boolean {
  return error instanceof CloudvolError && LACKING.includes(error.code);
}

/** A store that knows no such condition may as well take it and do nothing about it. */
async function refusesSecondPut(probe: Probe): Promise<boolean> {
  try {
    await putEmpty(probe, CONDITION);
    return false;
  } catch (error) {
    if (hasCode(error, 'store/exists')) return true;
    throw error;
  }
}

async function putEmpty(
  { connection, key, attributes }: Probe,
  condition: { readonly IfNoneMatch?: string } = {},
): Promise<void> {
  const input = { Bucket: connection.bucket, Key: key, Body: new Uint8Array(0), ...attributes };
  const repeatable = condition.IfNoneMatch === undefined;
  await connection.run({ action: `put ${key}`, key, repeatable }, (client) =>
    client.send(new PutObjectCommand({ ...input, ...condition })),
  );
}

async function deletesBatches({ connection, key }: Probe): Promise<boolean> {
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
  const listing = listObjects(connection, '', { pageKeys: 1 });
  await listing.next();
  await listing.return(undefined);
}
