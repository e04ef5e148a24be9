/**
 * Amazon S3 and the stores that speak its protocol. An object is put by one request. What a store
 * can do is found out when it is opened (s3/probe.ts); the endpoint that answers is used as long as
 * it does (s3/connection.ts). The SDK's own retries are off: the retry layer sees every failure.
 *
 * Times are whole seconds by the store's clock; a put gives the time of its answer.
 */
import { HeadBucketCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { systemClock, type Clock } from '../base/clock.ts';
import { hasCode } from '../base/errors.ts';
import { assertRange } from './byte-range.ts';
import { checkKey, checkPrefix } from './key.ts';
import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoreCapabilities,
} from './object-store.ts';
import { attributesOf, type Attributes } from './s3/attributes.ts';
import { headersOf } from './s3/client.ts';
import { S3Connection } from './s3/connection.ts';
import { deleteObjects } from './s3/delete-objects.ts';
import { listObjects } from './s3/list-objects.ts';
import { probeStore } from './s3/probe.ts';
import { readObject } from './s3/read-object.ts';
import { wholeSecond } from './s3/whole-second.ts';
import { storeError, tooLarge } from './store-error.ts';
import { ForeignAnswer } from './store-meaning.ts';
import type { S3Target } from './store-target.ts';

export interface S3StoreOptions {
  readonly clock?: Clock;
  /** Keys in one page of a listing. Default: 1,000, the most that S3 gives. */
  readonly pageKeys?: number;
}

const PAGE_KEYS = 1000;

export class S3Store implements ObjectStore {
  readonly location: string;
  readonly capabilities: StoreCapabilities;
  readonly #connection: S3Connection;
  readonly #pageKeys: number;
  readonly #attributes: Attributes;

  private constructor(
    connection: S3Connection,
    capabilities: StoreCapabilities,
    attributes: Attributes,
    pageKeys: number,
  ) {
    this.location = connection.location;
    this.capabilities = capabilities;
    this.#connection = connection;
    this.#pageKeys = pageKeys;
    this.#attributes = attributes;
  }

  /**
   * Opens the store in a bucket and finds out what it can do; with `create` the bucket is made when
   * it is missing.
   * @throws CloudvolError `store/not-found` when there is no such bucket, `store/denied`,
   * `store/unavailable` when no endpoint answers, `store/unsupported` when the store does not know
   * the storage class or the encryption, `store/failed` when a setting makes no sense.
   */
  static async open(target: S3Target, options: S3StoreOptions = {}): Promise<S3Store> {
    const { clock = systemClock, pageKeys = PAGE_KEYS } = options;
    if ((target.accessKey === undefined) !== (target.secretKey === undefined)) {
      throw storeError('store/denied', 'an access key and a secret key belong together', {
        hint: 'give both, or none for the role of this host',
      });
    }
    const connection = new S3Connection(target, clock);
    try {
      const attributes = attributesOf(target);
      const { create = false } = target;
      const capabilities = await probeStore(connection, { create, attributes });
      return new S3Store(connection, capabilities, attributes, pageKeys);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    const { signal, ifAbsent = false } = options;
    const { conditionalPut, maxObjectBytes } = this.capabilities;
    if (body.length > maxObjectBytes) throw tooLarge(key, body.length, maxObjectBytes);
    if (ifAbsent && !conditionalPut) {
      throw storeError('store/unsupported', `${this.location} cannot put only what is absent`);
    }
    const input = {
      Bucket: this.#connection.bucket,
      Key: key,
      Body: body,
      ...this.#attributes,
      ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
    };
    const request = { action: `put ${key}`, key, signal, repeatable: !ifAbsent };
    const output = await this.#connection.run(request, async (client, sending) => {
      const answer = await client.send(new PutObjectCommand(input), sending);
      if (answer.ETag === undefined) throw new ForeignAnswer();
      return answer;
    });
    const modifiedMs = wholeSecond(new Date(headersOf(output)['date'] ?? ''));
    return { key, sizeBytes: body.length, modifiedMs };
  }

  async get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    assertRange(options.range);
    const { signal, range } = options;
    const { bucket } = this.#connection;
    return this.#connection.run({ action: `get ${key}`, key, signal }, (client, sending) =>
      readObject(client, sending, { bucket, key, range }),
    );
  }

  async head(
    key: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<ObjectInfo | undefined> {
    checkKey(key);
    const input = { Bucket: this.#connection.bucket, Key: key };
    try {
      const output = await this.#connection.run(
        { action: `look up ${key}`, key, signal },
        (client, sending) => client.send(new HeadObjectCommand(input), sending),
      );
      const { ContentLength = 0, LastModified } = output;
      return { key, sizeBytes: ContentLength, modifiedMs: wholeSecond(LastModified) };
    } catch (error) {
      if (!hasCode(error, 'store/not-found')) throw error;
      await this.#requireBucket(signal);
      return undefined;
    }
  }

  async *list(
    prefix: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    yield* listObjects(this.#connection, prefix, { signal, pageKeys: this.#pageKeys });
  }

  async delete(
    keys: readonly string[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    for (const key of keys) checkKey(key);
    signal?.throwIfAborted();
    await deleteObjects(this.#connection, keys, { batch: this.capabilities.batchDelete, signal });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** A look-up has no body: a bucket that is gone looks like an object that is not there. */
  async #requireBucket(signal: AbortSignal | undefined): Promise<void> {
    const input = { Bucket: this.#connection.bucket };
    try {
      await this.#connection.run({ action: 'look up the bucket', signal }, (client, sending) =>
        client.send(new HeadBucketCommand(input), sending).catch((error: unknown) => {
          if ((error as Error).name !== 'NotFound') throw error;
          throw Object.assign(error as Error, { name: 'NoSuchBucket' });
        }),
      );
    } catch (error) {
      // Who may not look up the bucket, and is told of no object, has a bucket.
      if (!hasCode(error, 'store/denied')) throw error;
    }
  }
}
