import type { S3Client } from '@aws-sdk/client-s3';
import { abortable } from '../../base/abortable.ts';
import type { Clock } from '../../base/clock.ts';
import { CloudvolError, errnoOf, hasCode } from '../../base/errors.ts';
import { storeError } from '../store-error.ts';
import type { S3Target } from '../store-target.ts';
import { openAgents, type Agents } from './agents.ts';
import { makeClient } from './client.ts';
import { EndpointRing, parseEndpoints, type Endpoint } from './endpoints.ts';
import { codeOf, statusOf, translateError } from './translate-error.ts';

export interface S3Request {
  /** For errors: `put a/b`. */
  readonly action: string;
  readonly key?: string;
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether it may be sent to another endpoint when its answer was lost. A conditional put may not:
   * it would find its own object, and only who knows of the lost answer can tell. Default: true.
   */
  readonly repeatable?: boolean;
}

/** What a command is sent with. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

interface Place {
  readonly endpoint: Endpoint;
  readonly client: S3Client;
}

/** Nothing has reached a server when these happen. */
const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];
/** A store that says so is there: another door to it does not help. */
const STORE_IS_THERE = ['SlowDown', 'NotImplemented', 'QuotaExceeded'];

/** Sends requests about one bucket to the endpoint that answers; every error is translated. */
export class S3Connection {
  readonly bucket: string;
  /** Of all endpoints, in an order that does not matter to who wrote them down. */
  readonly location: string;
  readonly #agents: Agents;
  readonly #clock: Clock;
  readonly #places: readonly Place[];
  readonly #ring: EndpointRing<Place>;

  constructor(target: S3Target, clock: Clock) {
    const endpoints = parseEndpoints(target);
    this.bucket = target.bucket;
    const names = endpoints.map(({ name }) => name).toSorted();
    this.location = `s3://${target.bucket} at ${names.join(',')}`;
    this.#clock = clock;
    this.#agents = openAgents(target.ca);
    this.#places = endpoints.map((endpoint) => ({
      endpoint,
      client: makeClient(target, endpoint, this.#agents),
    }));
    this.#ring = new EndpointRing(this.#places);
  }

  /**
   * @param work makes and sends a command, and reads all of its answer; again at another endpoint.
   * @throws CloudvolError with a code of the store's contract, or the signal's reason.
   */
  async run<T>(
    request: S3Request,
    work: (client: S3Client, options: SendOptions) => Promise<T>,
  ): Promise<T> {
    const { signal, repeatable = true } = request;
    const options = signal ? { abortSignal: signal } : {};
    const failures: CloudvolError[] = [];
    for (const place of this.#ring.inOrder()) {
      signal?.throwIfAborted();
      try {
        return await abortable(work(place.client, options), signal);
      } catch (error) {
        if (signal?.aborted) throw this.#aborted(place, signal);
        const failure = this.#translate(error, request, place);
        if (!isSilent(error) || !(failure instanceof CloudvolError)) throw failure;
        this.#ring.leave(place);
        failures.push(failure);
        if (!repeatable && !NEVER_SENT.includes(errnoOf(error) ?? '')) throw failure;
      }
    }
    throw none(failures);
  }

  close(): void {
    for (const { client } of this.#places) client.destroy();
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  /** A deadline that cut the call means that the endpoint hangs: the next call tries another. */
  #aborted(place: Place, signal: AbortSignal): unknown {
    if (hasCode(signal.reason, 'store/unavailable')) this.#ring.leave(place);
    return signal.reason;
  }

  #translate(error: unknown, { action, key }: S3Request, { endpoint }: Place): unknown {
    return translateError(error, {
      action,
      key,
      bucket: this.bucket,
      endpoint: endpoint.host,
      location: this.location,
      nowMs: this.#clock.nowMs(),
    });
  }
}

/** The endpoint, or a proxy's way to it, does not work: another one may. */
function isSilent(error: unknown): boolean {
  const status = statusOf(error);
  if (status === undefined) return true;
  return [500, 502, 503, 504].includes(status) && !STORE_IS_THERE.includes(codeOf(error));
}

function none(failures: readonly CloudvolError[]): CloudvolError {
  const [first] = failures;
  if (first && failures.length === 1) return first;
  const last = failures.find(({ code }) => code === 'store/unavailable') ?? first;
  return storeError(
    last?.code === 'store/failed' ? 'store/failed' : 'store/unavailable',
    `none of ${failures.length} endpoints answers; ${failures.map((f) => f.message).join('; ')}`,
    last?.hint === undefined ? {} : { hint: last.hint },
  );
}
