import { endBlock, type Extent } from '../base/extent.ts';
import type { FetchedRun } from '../volume/backing-source.ts';
import type { Ticket } from './priority-gate.ts';

/** One request under way, and those who wait for it. */
export interface Flight {
  readonly extent: Extent;
  readonly ticket: Ticket;
  /** Aborted when nobody waits any more. */
  readonly controller: AbortController;
  readonly runs: Promise<readonly FetchedRun[]>;
  passengers: number;
}

/** Which blocks are being fetched, so that no block is fetched twice at the same time. */
export class FlightTable {
  readonly #byBlock = new Map<number, Flight>();
  readonly #flights = new Set<Flight>();

  /** Requests under way. */
  get flights(): readonly Flight[] {
    return [...this.#flights];
  }

  /**
   * Cuts an extent, ascending, into parts that a flight already covers and parts (no flight) that
   * none does.
   */
  *partsOf(extent: Extent): Generator<{ readonly extent: Extent; readonly flight?: Flight }> {
    for (let first = extent.firstBlock; first < endBlock(extent);) {
      const flight = this.#byBlock.get(first);
      let end = first + 1;
      while (end < endBlock(extent) && this.#byBlock.get(end) === flight) end++;
      const part = { firstBlock: first, blockCount: end - first };
      yield flight ? { extent: part, flight } : { extent: part };
      first = end;
    }
  }

  add(flight: Flight): void {
    this.#flights.add(flight);
    for (let b = flight.extent.firstBlock; b < endBlock(flight.extent); b++) {
      this.#byBlock.set(b, flight);
    }
  }

  /** Nothing joins this flight any more. */
  remove(flight: Flight): void {
    if (!this.#flights.delete(flight)) return;
    for (let b = flight.extent.firstBlock; b < endBlock(flight.extent); b++) {
      if (this.#byBlock.get(b) === flight) this.#byBlock.delete(b);
    }
  }
}
