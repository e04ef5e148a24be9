import { abortable } from '../base/abortable.ts';
import type { Clock } from '../base/clock.ts';
import { CloudvolError, messageOf } from '../base/errors.ts';
import { endBlock, type Extent } from '../base/extent.ts';
import type { Log } from '../base/log.ts';
import { retry } from '../base/retry.ts';
import type {
  CloudsnapEntry,
  CloudsnapReader,
  CloudsnapRepository,
} from '../cloudsnap/cloudsnap-api.ts';
import type {
  BackingSource,
  FetchedRun,
  FetchOptions,
  FetchPriority,
} from '../volume/backing-source.ts';
import { FaultTally, REFETCH_POLICY } from './fetch-faults.ts';
import { cutRuns, requireCover } from './fetched-runs.ts';
import { type Flight, FlightTable } from './flight-table.ts';
import { newTicket, PriorityGate, type Ticket } from './priority-gate.ts';

/**
 * Longest request; longer extents are cut at multiples of it, so that overlapping callers meet on
 * the same cuts.
 */
const RUN_BYTES = 4 << 20;

export interface ChainSourceOptions {
  readonly repository: CloudsnapRepository;
  readonly entry: CloudsnapEntry;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

/**
 * A cloudsnap as the backing source of a volume. @throws what opening the cloudsnap throws: nothing
 * is retried here.
 */
export async function openChainSource(options: ChainSourceOptions): Promise<BackingSource> {
  const { repository, entry, signal, clock, log } = options;
  return new ChainSource(await repository.open(entry, signal), clock, log);
}

/**
 * Reads one cloudsnap for a volume that does not hold all of its blocks yet: demand reads first, no
 * block fetched twice at the same time, right bytes or an error. How failures are met: FaultTally.
 */
class ChainSource implements BackingSource {
  readonly #reader: CloudsnapReader;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #runBlocks: number;
  readonly #gate = new PriorityGate();
  readonly #table = new FlightTable();
  #outage: string | undefined;
  #closed: CloudvolError | undefined;

  constructor(reader: CloudsnapReader, clock: Clock, log: Log) {
    this.#reader = reader;
    this.#clock = clock;
    this.#log = log;
    this.#runBlocks = Math.max(1, Math.floor(RUN_BYTES / reader.geometry.blockBytes));
  }

  get outage(): string | undefined {
    return this.#outage;
  }

  async readBlocks(extent: Extent, options: FetchOptions): Promise<readonly FetchedRun[]> {
    if (this.#closed) throw this.#closed;
    options.signal?.throwIfAborted();
    const waits: Promise<readonly FetchedRun[]>[] = [];
    for (const piece of alignedPieces(extent, this.#runBlocks)) {
      for (const part of this.#table.partsOf(piece)) {
        const flight = part.flight ?? this.#depart(part.extent, options.priority);
        this.#gate.raise(flight.ticket, options.priority);
        waits.push(this.#ride(flight, part.extent, options.signal));
      }
    }
    // Waits for all, so that a failed part leaves no other one without somebody who hears of its
    // failure.
    const parts = await Promise.allSettled(waits);
    return parts.flatMap((part) => {
      if (part.status === 'rejected') throw part.reason;
      return part.value;
    });
  }

  /** Ends every request; waiting readers get `restore/source-closed`. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = new CloudvolError(
      'restore/source-closed',
      `reading of ${this.#reader.manifest.cloudsnapId} has ended`,
    );
    const flights = this.#table.flights;
    for (const flight of flights) flight.controller.abort(this.#closed);
    await Promise.allSettled(flights.map((flight) => flight.runs));
    await this.#reader.close();
  }

  #depart(extent: Extent, priority: FetchPriority): Flight {
    const ticket = newTicket(priority);
    const controller = new AbortController();
    const landed = () => this.#table.remove(flight);
    const runs = this.#fetch(extent, ticket, controller.signal, landed);
    const flight: Flight = { extent, ticket, controller, runs, passengers: 0 };
    this.#table.add(flight);
    // The failure itself reaches the passengers through `runs`.
    runs.then(landed, landed);
    return flight;
  }

  async #ride(flight: Flight, part: Extent, signal?: AbortSignal): Promise<FetchedRun[]> {
    flight.passengers++;
    try {
      const runs = await abortable(flight.runs, signal);
      return cutRuns(runs, part, this.#reader.geometry.blockBytes);
    } finally {
      if (--flight.passengers === 0) {
        this.#table.remove(flight);
        flight.controller.abort(signal?.reason);
      }
    }
  }

  async #fetch(
    extent: Extent,
    ticket: Ticket,
    signal: AbortSignal,
    giveUp: () => void,
  ): Promise<readonly FetchedRun[]> {
    const faults = new FaultTally();
    const isRetriable = (error: unknown) => {
      const again = faults.mayRefetch(error, ticket.priority);
      // A reader that comes now must not join a request that has just been given up.
      if (!again) giveUp();
      return again;
    };
    const runs = await retry(
      () => this.#gate.run(ticket, () => this.#read(extent, signal), signal),
      {
        policy: REFETCH_POLICY,
        clock: this.#clock,
        signal,
        isRetriable,
        onRetry: ({ error }) => this.#noteOutage(extent, error),
      },
    );
    this.#noteRecovery();
    return runs;
  }

  async #read(extent: Extent, signal: AbortSignal): Promise<readonly FetchedRun[]> {
    const { geometry } = this.#reader;
    return requireCover(await this.#reader.readBlocks(extent, signal), extent, geometry.blockBytes);
  }

  /** One line when it begins and one when it ends, however many readers wait. */
  #noteOutage(extent: Extent, error: unknown): void {
    const isKnown = this.#outage !== undefined;
    this.#outage = messageOf(error);
    if (isKnown) return;
    this.#log.warn('restore.fetch-failed', {
      cloudsnapId: this.#reader.manifest.cloudsnapId,
      firstBlock: extent.firstBlock,
      blockCount: extent.blockCount,
      error,
    });
  }

  #noteRecovery(): void {
    if (this.#outage === undefined) return;
    this.#outage = undefined;
    this.#log.info('restore.fetch-recovered', { cloudsnapId: this.#reader.manifest.cloudsnapId });
  }
}

/** Cuts an extent at multiples of `runBlocks`. */
function* alignedPieces(extent: Extent, runBlocks: number): Generator<Extent> {
  for (let first = extent.firstBlock; first < endBlock(extent);) {
    const end = Math.min(endBlock(extent), (Math.floor(first / runBlocks) + 1) * runBlocks);
    yield { firstBlock: first, blockCount: end - first };
    first = end;
  }
}
