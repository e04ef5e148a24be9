import type { Log } from '../base/log.ts';
import type { BackingSource } from './backing-source.ts';

/**
 * Where a volume's absent blocks come from, and for how long: a source that the volume needs no
 * more stays open while a view may still ask for blocks that were absent at its instant.
 */
export class VolumeSources {
  readonly #log: Log;
  #current: BackingSource | undefined;
  readonly #retired: BackingSource[] = [];

  constructor(current: BackingSource | undefined, log: Log) {
    this.#current = current;
    this.#log = log;
  }

  get current(): BackingSource | undefined {
    return this.#current;
  }

  /** For views. The last one that went is as good as it ever was: a cloudsnap does not change. */
  get forViews(): BackingSource | undefined {
    return this.#current ?? this.#retired.at(-1);
  }

  /** The volume holds all its blocks. */
  retire(): void {
    if (this.#current) this.#retired.push(this.#current);
    this.#current = undefined;
  }

  /** Forgets the current one without closing it: it is its maker's again. */
  giveBack(): void {
    this.#current = undefined;
  }

  async closeRetired(): Promise<void> {
    for (const source of this.#retired.splice(0)) await this.#close(source);
  }

  async close(): Promise<void> {
    this.retire();
    await this.closeRetired();
  }

  /** Nothing of the volume hangs on how its source ends. */
  async #close(source: BackingSource): Promise<void> {
    try {
      await source.close();
    } catch (error) {
      this.#log.warn('volume.source-not-closed', { error });
    }
  }
}
