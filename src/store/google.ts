/**
 * Google Cloud Storage by its JSON API. Google's SDK authenticates; requests are sent here, once
 * each, since the SDK takes no abort signals and retries three times where it is told to retry not
 * at all. The layers above retry, pace and cut what hangs.
 */
import type { Agent, IncomingMessage } from 'node:http';
import { abortable } from '../base/abortable.ts';
import { mapLimited } from '../base/map-limited.ts';
import { assertRange, resolveRange, type ByteRange } from './byte-range.ts';
import { checkBucketName, readAccount, type GoogleAccount } from './google/account.ts';
import { readJson, sendRequest, type HttpRequest } from './google/http-request.ts';
import { INFO_FIELDS, LIST_FIELDS, readInfo, readPage } from './google/resources.ts';
import { GoogleAnswer, translateError } from './google/translate-error.ts';
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
import type { GoogleTarget } from './store-target.ts';

export interface OpenGoogleOptions {
  /** Objects in one page of a listing; Google gives 1,000 at most. */
  readonly pageSize?: number;
}

/** Deletes under way at once: there is no request for several. */
const CONCURRENT_DELETES = 8;
const PAGE_SIZE = 1000;

interface Call extends Partial<Pick<HttpRequest, 'method' | 'body' | 'signal'>> {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export class GoogleStore implements ObjectStore {
  readonly location: string;
  readonly capabilities: StoreCapabilities = {
    conditionalPut: true,
    // Google takes 5 TiB; bodies are held in memory here.
    maxObjectBytes: 1 << 30,
    batchDelete: 1,
  };
  readonly #bucket: string;
  readonly #account: GoogleAccount;
  readonly #agent: Agent;
  readonly #pageSize: number;

  private constructor(target: GoogleTarget, { pageSize = PAGE_SIZE }: OpenGoogleOptions) {
    this.#bucket = target.bucket;
    this.#account = readAccount(target);
    this.#agent = networkAgent(new URL(this.#account.endpoint), target.ca);
    this.#pageSize = pageSize;
    this.location = `google://${target.bucket} at ${this.#account.endpoint}`;
  }

  /**
   * Opens the store in a bucket, which is made with `create` when it is missing.
   * @throws CloudvolError `store/not-found` when there is no such bucket, `store/denied`,
   * `store/failed` when the target is not complete or right, and what a request can throw.
   */
  static async open(target: GoogleTarget, options: OpenGoogleOptions = {}): Promise<GoogleStore> {
    checkBucketName(target.bucket);
    const store = new GoogleStore(target, options);
    try {
      await store.#openBucket(target.create ?? false);
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
    const { signal, ifAbsent = false } = options;
    return this.#run(`put ${key}`, signal, key, async () => {
      const answer = await this.#json({
        method: 'POST',
        path: `/upload/storage/v1/b/${this.#bucket}/o`,
        query: {
          uploadType: 'media',
          name: key,
          fields: INFO_FIELDS,
          ...(ifAbsent ? { ifGenerationMatch: '0' } : {}),
        },
        headers: { 'content-type': 'application/octet-stream' },
        body,
        signal,
      });
      return readInfo(answer);
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    const { range, signal } = options;
    assertRange(range);
    return this.#run(`get ${key}`, signal, key, async () => {
      const answer = await this.#getBody(key, range, signal);
      try {
        return await readBody(answer, key, announced(key, range, answer));
      } finally {
        answer.destroy();
      }
    });
  }

  async head(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ObjectInfo | undefined> {
    checkKey(key);
    return this.#run(`look up ${key}`, options.signal, key, async () => {
      try {
        const query = { fields: INFO_FIELDS };
        const call = { path: this.#objectPath(key), query, signal: options.signal };
        return readInfo(await this.#json(call));
      } catch (error) {
        if (isMissingObject(error)) return undefined;
        throw error;
      }
    });
  }

  async *list(
    prefix: string,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const action = prefix ? `list ${prefix}` : 'list all objects';
    let pageToken: string | undefined;
    do {
      const page = await this.#run(action, options.signal, undefined, () =>
        this.#listPage(prefix, this.#pageSize, pageToken, options.signal),
      );
      yield* page.infos;
      pageToken = page.nextPageToken;
    } while (pageToken);
  }

  async delete(
    keys: readonly string[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    for (const key of keys) checkKey(key);
    const { signal } = options;
    signal?.throwIfAborted();
    const one = (key: string) =>
      this.#run(`delete ${key}`, signal, undefined, async () => {
        try {
          await this.#json({ method: 'DELETE', path: this.#objectPath(key), signal });
        } catch (error) {
          if (!isMissingObject(error)) throw error;
        }
      });
    await mapLimited(new Set(keys), one, { limit: CONCURRENT_DELETES });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  /** Listing is what a store must allow anyhow, unlike asking for a bucket's properties. */
  async #openBucket(create: boolean): Promise<void> {
    await this.#run('open bucket', undefined, undefined, async () => {
      try {
        await this.#listPage('', 1, undefined, undefined);
      } catch (error) {
        if (!create || !(error instanceof GoogleAnswer) || error.status !== 404) throw error;
        await this.#makeBucket();
      }
    });
  }

  async #makeBucket(): Promise<void> {
    try {
      await this.#json({
        method: 'POST',
        path: '/storage/v1/b',
        query: { project: await this.#account.projectId() },
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify({ name: this.#bucket })),
      });
    } catch (error) {
      if (!(error instanceof GoogleAnswer) || error.status !== 409) throw error;
      // Another made it at the same time; or it is somebody else's, and then this is refused.
      await this.#listPage('', 1, undefined, undefined);
    }
  }

  async #listPage(
    prefix: string,
    maxResults: number,
    pageToken: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    const query = {
      prefix,
      maxResults: String(maxResults),
      fields: LIST_FIELDS,
      ...(pageToken ? { pageToken } : {}),
    };
    const path = `/storage/v1/b/${this.#bucket}/o`;
    return readPage(await this.#json({ path, query, signal }));
  }

  async #getBody(key: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    const headers = range && { range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
    const call = { path: this.#objectPath(key), query: { alt: 'media' }, signal };
    try {
      return await this.#send({ ...call, ...(headers ? { headers } : {}) });
    } catch (error) {
      if (!range || !(error instanceof GoogleAnswer) || error.status !== 416) throw error;
      throw storeError('store/range', `${key} ends before byte ${range.offset + range.length}`, {
        details: { key, ...range },
      });
    }
  }

  async #json(call: Call): Promise<unknown> {
    return readJson(await this.#send(call));
  }

  /** @throws GoogleAnswer when the answer is no success. */
  async #send(call: Call): Promise<IncomingMessage> {
    const { path, query = {}, method = 'GET', body, signal, headers } = call;
    const url = new URL(`${this.#account.endpoint}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const authorization = await this.#account.headers(url.href);
    const answer = await sendRequest({
      method,
      url,
      headers: { ...authorization, ...headers },
      body,
      agent: this.#agent,
      signal,
    });
    const { statusCode: status = 0 } = answer;
    if (status >= 200 && status < 300) return answer;
    throw new GoogleAnswer(status, await readJson(answer), answer.headers['retry-after']);
  }

  #objectPath(key: string): string {
    return `/storage/v1/b/${this.#bucket}/o/${encodeURIComponent(key)}`;
  }

  /** An abort ends the wait at once, and the request with it. */
  async #run<T>(
    action: string,
    signal: AbortSignal | undefined,
    key: string | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await abortable(work(), signal);
    } catch (error) {
      signal?.throwIfAborted();
      const { endpoint } = this.#account;
      const request = { action, key, bucket: this.#bucket, endpoint, location: this.location };
      throw translateError(error, request);
    }
  }
}

function isMissingObject(error: unknown): boolean {
  return error instanceof GoogleAnswer && error.status === 404 && !error.missesBucket;
}

/** How long the body will be, when it is what was asked for. */
function announced(key: string, range: ByteRange | undefined, answer: IncomingMessage): number {
  const length = Number(answer.headers['content-length'] ?? Number.NaN);
  if (!range) {
    if (Number.isSafeInteger(length)) return length;
    throw storeError('store/corrupt', `${key} came without a length`, { details: { key } });
  }
  const total = /\/(\d+)$/.exec(answer.headers['content-range'] ?? '')?.[1];
  if (total !== undefined) resolveRange(key, range, Number(total));
  if (length !== range.length) throw wrongLength(key, length, range.length);
  return length;
}
