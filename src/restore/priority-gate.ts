import type { FetchPriority } from '../volume/backing-source.ts';

/**
 * Requests under way at once: enough to fill a 10 Gbit/s line at 20 ms with 4 MiB each, few enough
 * for one host.
 */
const MAX_REQUESTS = 16;
/** Prefetch and background together leave a quarter of the slots to readers that wait. */
const MAX_UNASKED = 12;
/** Background alone leaves room for prefetches, too. */
const MAX_BACKGROUND = 8;
/** While a reader waits the background keeps going, but leaves the line to the reader. */
const MAX_BACKGROUND_BESIDE_DEMAND = 2;

const ORDER: readonly FetchPriority[] = ['demand', 'prefetch', 'background'];

/**
 * A request's place in the gate. The gate owns it; `raise` is the one way to change its priority.
 */
export interface Ticket {
  readonly priority: FetchPriority;
}
interface OwnTicket extends Ticket {
  priority: FetchPriority;
}

export function newTicket(priority: FetchPriority): Ticket {
  return { priority };
}

/**
 * Admits requests to the store: demand before prefetch before background, first come first served
 * within each. Slots are reserved upwards, so that a demand read never waits behind work that
 * nobody waits for, however much of it there is.
 */
export class PriorityGate {
  readonly #active = new Set<Ticket>();
  readonly #waiting = new Map<Ticket, () => void>();

  /** Requests under way. */
  get active(): number {
    return this.#active.size;
  }

  /** Requests that wait for a slot. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * @throws the signal's reason when aborted before the ticket's turn (then `work` never started),
   * or what it throws.
   */
  async run<T>(ticket: Ticket, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#enter(ticket, signal);
    try {
      return await work();
    } finally {
      this.#active.delete(ticket);
      this.#admit();
    }
  }

  /** A more urgent caller has joined the request; a less urgent one changes nothing. */
  raise(ticket: Ticket, priority: FetchPriority): void {
    if (ORDER.indexOf(priority) >= ORDER.indexOf(ticket.priority)) return;
    (ticket as OwnTicket).priority = priority;
    this.#admit();
  }

  #enter(ticket: Ticket, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const giveUp = () => {
        this.#waiting.delete(ticket);
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.set(ticket, () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      });
      this.#admit();
    });
  }

  #admit(): void {
    for (const priority of ORDER) {
      for (const [ticket, enter] of this.#waiting) {
        if (!this.#hasRoom(priority)) break;
        if (ticket.priority !== priority) continue;
        this.#waiting.delete(ticket);
        this.#active.add(ticket);
        enter();
      }
    }
  }

  #hasRoom(priority: FetchPriority): boolean {
    const { demand, prefetch, background } = this.#counts();
    if (demand + prefetch + background >= MAX_REQUESTS) return false;
    if (priority === 'demand') return true;
    if (prefetch + background >= MAX_UNASKED) return false;
    if (priority === 'prefetch') return true;
    return background < (demand > 0 ? MAX_BACKGROUND_BESIDE_DEMAND : MAX_BACKGROUND);
  }

  #counts(): Record<FetchPriority, number> {
    const counts = { demand: 0, prefetch: 0, background: 0 };
    for (const { priority } of this.#active) counts[priority]++;
    return counts;
  }
}
