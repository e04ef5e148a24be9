import { formatByteSize } from '../../base/byte-size.ts';
import type { Output } from '../output.ts';

/** How often the figure on a terminal changes: often enough to look alive. */
const SHOW_MS = 250;

/** Counts what passes, and shows it to somebody who watches. */
export class WatchedStream implements AsyncIterable<Buffer> {
  readonly #next: AsyncIterable<Buffer>;
  readonly #output: Output | undefined;
  #receivedBytes = 0;
  #shownAtMs = 0;

  /** @param output shows nothing without, or where there is no terminal */
  constructor(next: AsyncIterable<Buffer>, output?: Output) {
    this.#next = next;
    this.#output = output?.isTerminal ? output : undefined;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    const started = performance.now();
    try {
      for await (const chunk of this.#next) {
        this.#receivedBytes += chunk.length;
        this.#show(performance.now() - started);
        yield chunk;
      }
    } finally {
      this.#output?.transient('');
    }
  }

  #show(elapsedMs: number): void {
    if (!this.#output || elapsedMs - this.#shownAtMs < SHOW_MS) return;
    this.#shownAtMs = elapsedMs;
    const rate = formatByteSize(Math.round((this.#receivedBytes / elapsedMs) * 1000));
    this.#output.transient(`${formatByteSize(this.#receivedBytes)} fetched, ${rate}/s`);
  }
}
