import { storeError } from '../store-error.ts';
import type { S3Target } from '../store-target.ts';

/** Amazon's own service: the SDK knows the hosts of each region. */
const AMAZON = /^s3([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?(:443)?$/i;

export interface Endpoint {
  /** `host:port` for people; Amazon's own is `amazonaws.com`. */
  readonly name: string;
  /** What requests go to: with virtual hosts the bucket is a part of the name. */
  readonly host: string;
  /** undefined where the SDK finds the host by the region. */
  readonly url: string | undefined;
}

/**
 * Where requests go, in order of preference; one for Amazon's own.
 * @throws CloudvolError `store/failed` for what is not `host` or `host:port`.
 */
export function parseEndpoints(target: S3Target): Endpoint[] {
  const { endpoints = [], disableSsl, virtualHost, bucket } = target;
  if (endpoints.every((endpoint) => AMAZON.test(endpoint))) {
    return [{ name: 'amazonaws.com', host: 'amazonaws.com', url: undefined }];
  }
  return endpoints.map((text) => {
    const scheme = disableSsl ? 'http' : 'https';
    const url = URL.parse(`${scheme}://${text}`);
    if (!url || url.pathname !== '/' || url.search || url.hash || url.username) {
      throw storeError('store/failed', `the endpoint ${JSON.stringify(text)} is not host:port`, {
        hint: 'give host:port, several with commas between them',
      });
    }
    const host = virtualHost ? `${bucket}.${url.host}` : url.host;
    return { name: url.host, host, url: url.origin };
  });
}

/**
 * A ring of places that serve the same objects: stays with the one that works, and goes on to the
 * next when it does not answer.
 */
export class EndpointRing<T> {
  readonly #places: readonly T[];
  #current = 0;

  constructor(places: readonly T[]) {
    this.#places = places;
  }

  /** All of them, the one that is in use first. */
  inOrder(): T[] {
    return [...this.#places.slice(this.#current), ...this.#places.slice(0, this.#current)];
  }

  /** Goes on to the next, unless another request that failed there did so already. */
  leave(place: T): void {
    if (this.#places[this.#current] !== place) return;
    this.#current = (this.#current + 1) % this.#places.length;
  }
}
