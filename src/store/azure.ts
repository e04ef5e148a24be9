/**
 * Azure Blob Storage: an object is a block blob, stored by one Put Blob. Every request is sent
 * once, the SDK's own retries are off: the layers above retry, pace and cut what hangs.
 */
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import type * as http from 'node:http';
import { abortable } from '../base/abortable.ts';
import type { Clock } from '../base/clock.ts';
import { mapLimited } from '../base/map-limited.ts';
import { checkContainerName, readAccount, type AzureAccount } from './azure/account.ts';
import { inKeyOrder } from './azure/in-key-order.ts';
import { answerCode, translateError } from './azure/translate-error.ts';
import { assertRange, resolveRange, type ByteRange } from './byte-range.ts';
import { checkKey, checkPrefix } from './key.ts';
import { networkAgent } from './network-agent.ts';
import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoreCapabilities,
} from './object-store.ts';
import { readBody, wrongLength } from './read-body.ts';
import { storeError, tooLarge } from './store-error.ts';
import { ForeignAnswer } from './store-meaning.ts';
import type { AzureTarget } from './store-target.ts';

export interface OpenAzureOptions {
  readonly clock: Clock;
  /** Blobs in one page of a listing; Azure gives 5,000 at most. */
  readonly pageSize?: number;
}

/** Deletes of one blob each under way at once, where a batch is not to be had. */
const CONCURRENT_DELETES = 8;
/** Azure's limit of one batch. */
const BATCH_DELETE = 256;
const PAGE_SIZE = 5000;

export class AzureStore implements ObjectStore {
  readonly location: string;
  readonly capabilities: StoreCapabilities = {
    conditionalPut: true,
    // Azure takes 5,000 MiB in one Put Blob; bodies are held in memory here.
    maxObjectBytes: 1 << 30,
    batchDelete: BATCH_DELETE,
  };
  readonly #container: ContainerClient;
  readonly #account: AzureAccount;
  readonly #agent: http.Agent;
  readonly #options: OpenAzureOptions;

  private constructor(target: AzureTarget, account: AzureAccount, options: OpenAzureOptions) {
    this.#account = account;
    this.#options = options;
    this.#agent = networkAgent(new URL(account.endpoint), target.ca);
    // The pipeline takes an agent, though the type of these options does not tell.
    const clientOptions = { retryOptions: { maxTries: 1 }, agent: this.#agent };
    const url = `${account.endpoint}${account.query}`;
    const service = new BlobServiceClient(url, account.credential, clientOptions);
    this.#container = service.getContainerClient(target.bucket);
    this.location = `azure://${target.bucket} at ${account.endpoint}`;
  }

  /**
   * Opens the store in a container, which is made with `create` when it is missing.
   * @throws CloudvolError `store/not-found` when there is no such container, `store/denied`,
   * `store/failed` when the target is not complete or right, and what a request can throw.
   */
  static async open(target: AzureTarget, options: OpenAzureOptions): Promise<AzureStore> {
    checkContainerName(target.bucket);
    const store = new AzureStore(target, await readAccount(target), options);
    try {
      await store.#openContainer(target.create ?? false);
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    const { maxObjectBytes } = this.capabilities;
    if (body.length > maxObjectBytes) throw tooLarge(key, body.length, maxObjectBytes);
    return this.#run(`put ${key}`, options.signal, key, async (abortSignal) => {
      const { lastModified } = await this.#container
        .getBlockBlobClient(key)
        .upload(body, body.length, {
          ...abortSignal,
          conditions: options.ifAbsent ? { ifNoneMatch: '*' } : {},
        });
      return infoOf(key, body.length, lastModified);
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    const { range, signal } = options;
    assertRange(range);
    return this.#run(`get ${key}`, signal, key, async (abortSignal) => {
      const answer = await this.#download(key, range, abortSignal);
      const stream = answer.readableStreamBody;
      if (!stream) throw storeError('store/corrupt', `${key} came without a body`);
      try {
        const length = announced(key, range, answer);
        return await readBody(stream as unknown as AsyncIterable<Uint8Array>, key, length);
      } finally {
        (stream as unknown as { destroy(): void }).destroy();
      }
    });
  }

  async head(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ObjectInfo | undefined> {
    checkKey(key);
    return this.#run(`look up ${key}`, options.signal, key, async (abortSignal) => {
      try {
        const found = await this.#container.getBlobClient(key).getProperties(abortSignal);
        return infoOf(key, found.contentLength ?? 0, found.lastModified);
      } catch (error) {
        if (answerCode(error) === 'BlobNotFound') return undefined;
        throw error;
      }
    });
  }

  list(prefix: string, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<ObjectInfo> {
    return inKeyOrder(this.#listed(prefix, options.signal), this.location);
  }

  async delete(
    keys: readonly string[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    for (const key of keys) checkKey(key);
    options.signal?.throwIfAborted();
    const distinct = [...new Set(keys)];
    for (let start = 0; start < distinct.length; start += BATCH_DELETE) {
      const some = distinct.slice(start, start + BATCH_DELETE);
      const only = some.length === 1 ? some[0] : undefined;
      await (only === undefined
        ? this.#deleteBatch(some, options.signal)
        : this.#deleteOne(only, options.signal));
    }
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  /** Listing is what a store must allow anyhow, unlike asking for a container's properties. */
  async #openContainer(create: boolean): Promise<void> {
    try {
      await this.#run('open container', undefined, undefined, async () => {
        await nextPage(this.#container.listBlobsFlat().byPage({ maxPageSize: 1 }));
      });
    } catch (error) {
      if (!create || !isMissingContainer(error)) throw error;
      await this.#run('make container', undefined, undefined, async () => {
        // Another may make it at the same time.
        await this.#container.createIfNotExists();
      });
    }
  }

  async #download(key: string, range: ByteRange | undefined, abortSignal: Abort) {
    try {
      // Of its body retries this leaves none: they would hide truncation, and outlive an abort.
      const once = { ...abortSignal, maxRetryRequests: 0 };
      return await this.#container.getBlobClient(key).download(range?.offset, range?.length, once);
    } catch (error) {
      if (!range || (error as { statusCode?: number }).statusCode !== 416) throw error;
      throw storeError('store/range', `${key} ends before byte ${range.offset + range.length}`, {
        details: { key, ...range },
      });
    }
  }

  async *#listed(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const abortSignal = signal ? { abortSignal: signal } : {};
    const { pageSize = PAGE_SIZE } = this.#options;
    const pages = this.#container
      .listBlobsFlat({ prefix, ...abortSignal })
      .byPage({ maxPageSize: pageSize });
    const action = prefix ? `list ${prefix}` : 'list all objects';
    for (;;) {
      const page = await this.#run(action, signal, undefined, () => nextPage(pages));
      if (page.done) return;
      for (const { name, properties } of page.value.segment.blobItems) {
        yield infoOf(name, properties.contentLength ?? 0, properties.lastModified);
      }
    }
  }

  async #deleteBatch(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const failed: string[] = [];
    await this.#run(`delete ${keys.length} objects`, signal, undefined, async (abortSignal) => {
      const blobs = keys.map((key) => this.#container.getBlobClient(key));
      const batch = this.#container.getBlobBatchClient();
      const { subResponses } = await batch.deleteBlobs(blobs, abortSignal);
      for (const [index, key] of keys.entries()) {
        const answer = subResponses[index];
        const gone = answer && (answer.status < 300 || answer.errorCode === 'BlobNotFound');
        if (!gone) failed.push(key);
      }
    });
    // Asked one by one they say what is wrong, in the words of translateError.
    await mapLimited(failed, (key) => this.#deleteOne(key, signal), { limit: CONCURRENT_DELETES });
  }

  async #deleteOne(key: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#run(`delete ${key}`, signal, undefined, async (abortSignal) => {
      try {
        await this.#container.getBlobClient(key).delete(abortSignal);
      } catch (error) {
        if (answerCode(error) !== 'BlobNotFound') throw error;
      }
    });
  }

  /** An abort ends the wait at once and the request soon after. */
  async #run<T>(
    action: string,
    signal: AbortSignal | undefined,
    key: string | undefined,
    work: (abortSignal: Abort) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await abortable(work(signal ? { abortSignal: signal } : {}), signal);
    } catch (error) {
      signal?.throwIfAborted();
      const { endpoint, query } = this.#account;
      throw translateError(error, {
        action,
        key,
        container: this.#container.containerName,
        endpoint,
        query,
        location: this.location,
        nowMs: this.#options.clock.nowMs(),
      });
    }
  }
}

/** The SDK reads whatever is well-formed without looking. */
async function nextPage<T>(pages: AsyncIterator<T>): Promise<IteratorResult<T>> {
  try {
    return await pages.next();
  } catch (error) {
    throw error instanceof TypeError ? new ForeignAnswer() : error;
  }
}

interface Abort {
  readonly abortSignal?: AbortSignal;
}

function isMissingContainer(error: unknown): boolean {
  return (error as { code?: string }).code === 'store/not-found';
}

function infoOf(key: string, sizeBytes: number, modified: Date | undefined): ObjectInfo {
  // What has no time counts as new, so that nothing is removed for its age.
  return { key, sizeBytes, modifiedMs: modified?.getTime() ?? Date.now() };
}

/** How long the body will be, when it is what was asked for. */
function announced(
  key: string,
  range: ByteRange | undefined,
  answer: { readonly contentLength?: number; readonly contentRange?: string },
): number {
  const length = answer.contentLength ?? 0;
  if (!range) return length;
  const total = /\/(\d+)$/.exec(answer.contentRange ?? '')?.[1];
  if (total !== undefined) resolveRange(key, range, Number(total));
  if (length !== range.length) throw wrongLength(key, length, range.length);
  return length;
}
