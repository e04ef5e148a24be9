import { Limiter } from '../base/limiter.ts';
import type { ObjectStore } from '../store/object-store.ts';

export interface UploadsOptions {
  readonly store: ObjectStore;
  /** Most objects on their way at once. */
  readonly limit: number;
  readonly signal: AbortSignal;
  /** Told whenever an object has arrived: a sign of life. */
  readonly onStored?: (() => void) | undefined;
}

export interface StartOptions {
  /** Where the store can: an object that is there already ends the upload. */
  readonly ifAbsent?: boolean;
  /** Told when it has arrived, and awaited in its place among the uploads. Never rejects. */
  readonly onStored?: () => Promise<void>;
  /** Told at the end, whichever it is. */
  readonly onSettled?: () => void;
}

/**
 * Puts the objects of one cloudsnap, several at a time, and knows which there may be in the store.
 * The first failure ends the others that are under way, and every later call throws it.
 */
export class Uploads {
  readonly #store: ObjectStore;
  readonly #limiter: Limiter;
  readonly #onStored: UploadsOptions['onStored'];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #underWay = new Set<Promise<void>>();
  readonly #attempted: string[] = [];
  #failure: { readonly reason: unknown } | undefined;
  #storedBytes = 0;

  constructor({ store, limit, signal, onStored }: UploadsOptions) {
    this.#store = store;
    this.#onStored = onStored;
    this.#limiter = new Limiter(limit);
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  /** Keys of all objects that were or may have been put, in order. */
  get attempted(): readonly string[] {
    return this.#attempted;
  }

  /** Bytes of the objects that arrived. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /**
   * Resolves when the upload has begun: back pressure, not success.
   * @param body belongs to the upload until `onSettled`.
   */
  async start(key: string, body: Uint8Array, options: StartOptions = {}): Promise<void> {
    this.throwIfFailed();
    const release = await this.#limiter.acquire(this.#signal);
    const upload = this.#put(key, body, options).finally(() => {
      this.#underWay.delete(upload);
      options.onSettled?.();
      release();
    });
    this.#underWay.add(upload);
  }

  /** Resolves when everything that was started has arrived. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
    this.throwIfFailed();
  }

  /** Ends what is under way; when it resolves, nothing is. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#underWay);
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.reason;
  }

  /**
   * Never rejects: the failure is kept, so that no promise of an upload is left without a listener.
   */
  async #put(key: string, body: Uint8Array, options: StartOptions): Promise<void> {
    this.#attempted.push(key);
    const ifAbsent = options.ifAbsent === true && this.#store.capabilities.conditionalPut;
    try {
      await this.#store.put(key, body, { ...(ifAbsent && { ifAbsent }), signal: this.#signal });
      this.#storedBytes += body.length;
      this.#onStored?.();
      await options.onStored?.();
    } catch (error) {
      this.#failure ??= { reason: error };
      this.#stop.abort(error);
    }
  }
}
