import type { ReadStream } from 'node:tty';

import { CloudvolError } from '../base/errors.ts';
import { readText } from './read-text.ts';

const END_OF_LINE = ['\r', '\n', '\u0004']; // Enter, and Ctrl-D
const CTRL_C = '\u0003';
const CTRL_U = '\u0015';
const ERASE = ['\u007f', '\b'];

/** Where a command reads: what somebody types, or a pipe. */
export class Input {
  readonly #openStdin: () => NodeJS.ReadStream;
  readonly #terminal: NodeJS.WritableStream;
  #isUsed = false;
  /** Typed ahead of the next question. */
  #ahead = '';

  /** @param openStdin called at the first use: most commands read nothing */
  constructor(openStdin: () => NodeJS.ReadStream, terminal: NodeJS.WritableStream) {
    this.#openStdin = openStdin;
    this.#terminal = terminal;
  }

  /** Whether somebody is there to be asked. */
  get isTerminal(): boolean {
    return this.#openStdin().isTTY;
  }

  /**
   * All that comes through a pipe.
   * @throws CloudvolError `usage/bad-option` the second time, `usage/bad-file`
   */
  async readAll(): Promise<string> {
    if (this.#isUsed) {
      throw new CloudvolError(
        'usage/bad-option',
        'only one value can come from the standard input',
        { hint: 'put the others into files: @FILE' },
      );
    }
    this.#isUsed = true;
    return readText(this.#openStdin(), 'the standard input');
  }

  /** Asks on the terminal; what is typed is not shown. */
  async askHidden(question: string, signal: AbortSignal): Promise<string> {
    const stdin = this.#openStdin();
    // Before the question: who answers at once must not be echoed.
    stdin.setRawMode(true);
    this.#terminal.write(`${question}: `);
    try {
      return await this.#readLine(stdin, signal);
    } finally {
      stdin.setRawMode(false);
      stdin.pause();
      this.#terminal.write('\n');
    }
  }

  #readLine(stdin: ReadStream, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      let line: string[] = [];
      const take = (chunk: string): void => {
        const typed = Array.from(chunk);
        for (const [index, character] of typed.entries()) {
          if (END_OF_LINE.includes(character)) {
            this.#ahead = typed.slice(index + 1).join('');
            return settle(() => resolve(line.join('')));
          }
          if (character === CTRL_C) return settle(() => reject(interrupted()));
          if (character === CTRL_U) line = [];
          else if (ERASE.includes(character)) line.pop();
          else line.push(character);
        }
        this.#ahead = '';
      };
      const abort = () => settle(() => reject(signal.reason));
      const end = () => settle(() => reject(interrupted()));
      const settle = (work: () => void): void => {
        stdin.off('data', take);
        stdin.off('end', end);
        signal.removeEventListener('abort', abort);
        work();
      };
      stdin.setEncoding('utf8');
      stdin.on('data', take);
      stdin.once('end', end);
      signal.addEventListener('abort', abort, { once: true });
      stdin.resume();
      if (this.#ahead !== '') take(this.#ahead);
    });
  }
}

function interrupted(): CloudvolError {
  return new CloudvolError('cli/interrupted', 'interrupted');
}
