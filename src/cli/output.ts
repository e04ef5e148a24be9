/** Where a command prints: results on stdout, everything about them on stderr. */
export class Output {
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;

  constructor(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Whether somebody watches the progress. */
  get isTerminal(): boolean {
    return this.#stderr.isTTY;
  }

  get terminalColumns(): number {
    return this.#stderr.columns ?? 80;
  }

  line(text: string): void {
    this.#stdout.write(`${text}\n`);
  }

  note(text: string): void {
    this.#stderr.write(`${text}\n`);
  }

  /** Replaces what the last call wrote to the line; '' clears it. */
  transient(text: string): void {
    // CSI 2K erases the line, ECMA-48 8.3.41.
    this.#stderr.write(`\r\u001b[2K${text}`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value, null, 2));
  }

  /** One line per value, for programs that read as it comes. */
  jsonLine(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  table(columns: readonly string[], rows: readonly (readonly string[])[]): void {
    const lines = [columns, ...rows.map((row) => row.map(printable))];
    const widths = columns.map((_, index) =>
      Math.max(...lines.map((line) => line[index]?.length ?? 0)),
    );
    for (const line of lines) {
      const cells = line.map((cell, index) => cell.padEnd(widths[index] ?? 0));
      this.line(cells.join('  ').trimEnd());
    }
  }
}

/** Names can come from a bucket that others write to: no control bytes reach the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
