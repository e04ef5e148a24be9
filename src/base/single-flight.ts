import { abortable } from './abortable.ts';

interface Flight<V> {
  readonly result: Promise<V>;
  readonly controller: AbortController;
  passengers: number;
}

/**
 * Joins callers that want the same thing at the same time: while work for a key is under way,
 * others with that key wait for its outcome, success or failure. Nothing is remembered once the
 * work has settled.
 */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Flight<V>>();

  /** Keys with work under way. */
  get size(): number {
    return this.#flights.size;
  }

  /**
   * @param work gets a signal that is aborted when the last of its callers has given up; one
   * caller's abort ends only that caller's wait.
   * @throws what the work throws, to every caller; or the reason of the caller's own signal.
   */
  async run(key: K, work: (signal: AbortSignal) => Promise<V>, signal?: AbortSignal): Promise<V> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.passengers++;
    try {
      return await abortable(flight.result, signal);
    } finally {
      flight.passengers--;
      if (flight.passengers === 0) this.#end(key, flight, signal?.reason);
    }
  }

  #start(key: K, work: (signal: AbortSignal) => Promise<V>): Flight<V> {
    const controller = new AbortController();
    const result = (async () => work(controller.signal))();
    const flight: Flight<V> = { result, controller, passengers: 0 };
    this.#flights.set(key, flight);
    const landed = () => this.#forget(key, flight);
    // The failure itself reaches the callers through `result`.
    result.then(landed, landed);
    return flight;
  }

  /**
   * Everybody has left: if the work is still under way, nobody wants it, and a newcomer starts
   * afresh.
   */
  #end(key: K, flight: Flight<V>, reason: unknown): void {
    if (this.#forget(key, flight)) flight.controller.abort(reason);
  }

  #forget(key: K, flight: Flight<V>): boolean {
    return this.#flights.get(key) === flight && this.#flights.delete(key);
  }
}
