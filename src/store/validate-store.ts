import { randomBytes, randomUUID } from 'node:crypto';

import type { Clock } from '../base/clock.ts';
import { CloudvolError, hasCode } from '../base/errors.ts';
import type { ObjectStore } from './object-store.ts';
import { VALIDATE_PREFIX } from './trial-objects.ts';
import { measureWrites } from './validate/measure-writes.ts';

/**
 * failed: cloudsnaps need it; limited: they do without it, and something is slower or to be known;
 * skipped: could not be tried because of another.
 */
export type CheckOutcome = 'ok' | 'limited' | 'failed' | 'skipped';

export interface StoreCheck {
  readonly name: string;
  readonly outcome: CheckOutcome;
  /** One sentence for people. */
  readonly words: string;
}

export interface StoreReport {
  readonly checks: readonly StoreCheck[];
  /** undefined when nothing could be written. */
  readonly writeBytesPerSecond?: number;
}

export interface ValidateOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const BODY_BYTES = 4096;
const RANGE = { offset: 1000, length: 96 } as const;
/** Stores refuse signatures that are 15 minutes off; long before that a clock is wrong. */
const MAX_SKEW_MS = 60_000;

/**
 * Tries everything that cloudsnaps do to a store, on objects of its own that are gone afterwards,
 * and measures how fast it is written. Never throws for what the store does: that is the report.
 * @throws the signal's reason when aborted
 */
export function validateStore(store: ObjectStore, options: ValidateOptions): Promise<StoreReport> {
  return new StoreProbe(store, options).run();
}

class StoreProbe {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #prefix = `${VALIDATE_PREFIX}${randomUUID()}/`;
  readonly #key = `${this.#prefix}object`;
  readonly #body = randomBytes(BODY_BYTES);
  readonly #written: string[] = [];
  readonly #checks: StoreCheck[] = [];
  #writeBytesPerSecond: number | undefined;

  constructor(store: ObjectStore, { clock, signal }: ValidateOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#signal = signal;
  }

  async run(): Promise<StoreReport> {
    try {
      const isWritten = await this.#check('write', () => this.#write());
      if (isWritten) {
        await this.#check('read', () => this.#read());
        await this.#check('range', () => this.#readRange());
      } else this.#skip('read', 'range');
      await this.#check('list', () => this.#list(isWritten));
      if (isWritten) {
        await this.#check('conditional put', () => this.#putAbsent());
        await this.#check('clock', () => this.#compareClocks());
        await this.#check('throughput', () => this.#measure());
        await this.#check('delete', () => this.#delete());
      } else this.#skip('conditional put', 'clock', 'throughput', 'delete');
    } finally {
      if (this.#written.length > 0) await this.#cleanUp();
    }
    const speed = this.#writeBytesPerSecond;
    return { checks: this.#checks, ...(speed !== undefined && { writeBytesPerSecond: speed }) };
  }

  /** @returns whether it may go on with what builds on this */
  async #check(name: string, work: () => Promise<Omit<StoreCheck, 'name'>>): Promise<boolean> {
    try {
      const result = await work();
      this.#checks.push({ name, ...result });
      return result.outcome !== 'failed';
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof CloudvolError)) throw error;
      const words = error.hint ? `${error.message}: ${error.hint}` : error.message;
      this.#checks.push({ name, outcome: 'failed', words });
      return false;
    }
  }

  #skip(...names: string[]): void {
    for (const name of names) {
      this.#checks.push({ name, outcome: 'skipped', words: 'nothing could be written' });
    }
  }

  async #write() {
    this.#written.push(this.#key);
    await this.#store.put(this.#key, this.#body, { signal: this.#signal });
    return ok('objects can be written');
  }

  async #read() {
    const found = await this.#store.get(this.#key, { signal: this.#signal });
    return this.#body.equals(found)
      ? ok('what was written is read back')
      : failed('other bytes are read than were written');
  }

  async #readRange() {
    const { offset, length } = RANGE;
    const found = await this.#store.get(this.#key, { range: RANGE, signal: this.#signal });
    return this.#body.subarray(offset, offset + length).equals(found)
      ? ok('a part of an object is read by itself')
      : failed('a range of an object gives other bytes than were written there');
  }

  async #list(isWritten: boolean) {
    const keys = [];
    for await (const { key } of this.#store.list(this.#prefix, { signal: this.#signal })) {
      keys.push(key);
    }
    if (!isWritten) return ok('objects can be listed');
    return keys.includes(this.#key)
      ? ok('a listing shows at once what was written')
      : failed('a listing does not show what was just written');
  }

  async #putAbsent() {
    if (!this.#store.capabilities.conditionalPut) {
      return limited('the store cannot put only what is absent: back a volume up from one host');
    }
    const key = `${this.#prefix}once`;
    this.#written.push(key);
    const options = { ifAbsent: true, signal: this.#signal };
    await this.#store.put(key, this.#body, options);
    try {
      await this.#store.put(key, randomBytes(BODY_BYTES), options);
    } catch (error) {
      if (hasCode(error, 'store/exists')) return ok('of two writers of one object one is refused');
      throw error;
    }
    return failed('the store says that it puts only what is absent, and replaced an object');
  }

  async #compareClocks() {
    const before = this.#clock.nowMs();
    const { modifiedMs } = await this.#store.put(this.#key, this.#body, { signal: this.#signal });
    const after = this.#clock.nowMs();
    const skewMs = modifiedMs - (before + after) / 2;
    // A put may last, and some stores tell whole seconds.
    const doubtMs = (after - before) / 2 + 1000;
    if (Math.abs(skewMs) <= MAX_SKEW_MS + doubtMs) return ok("the store's clock agrees with ours");
    const seconds = Math.round(Math.abs(skewMs) / 1000);
    const way = skewMs > 0 ? 'ahead of' : 'behind';
    return limited(`the store's clock is ${seconds} s ${way} this host's: set it by NTP`);
  }

  async #measure() {
    const speed = await measureWrites(this.#store, {
      prefix: `${this.#prefix}speed-`,
      written: this.#written,
      signal: this.#signal,
    });
    this.#writeBytesPerSecond = speed;
    return ok(`${Math.round(speed / 1024)} KiB/s are written`);
  }

  async #delete() {
    await this.#store.delete(this.#written, { signal: this.#signal });
    if (await this.#store.head(this.#key, { signal: this.#signal })) {
      return failed('what was deleted is still there');
    }
    this.#written.length = 0;
    const { batchDelete } = this.#store.capabilities;
    return batchDelete > 1
      ? ok(`${batchDelete} objects are deleted at once`)
      : limited('the store deletes one object at a time: deletes take longer');
  }

  /** After a check that failed, or an abort: as much as the store lets us. */
  async #cleanUp(): Promise<void> {
    try {
      await this.#store.delete(this.#written);
    } catch (error) {
      if (!(error instanceof CloudvolError)) throw error;
      this.#checks.push({
        name: 'clean-up',
        outcome: 'failed',
        words: `objects are left below ${this.#prefix}: ${error.message}`,
      });
    }
  }
}

function ok(words: string) {
  return { outcome: 'ok', words } as const;
}
function limited(words: string) {
  return { outcome: 'limited', words } as const;
}
function failed(words: string) {
  return { outcome: 'failed', words } as const;
}
