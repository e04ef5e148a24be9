import type { Output } from './output.ts';

/** Rows that decide on the widths together, and appear together. */
const ROWS_AT_A_TIME = 500;

/** A table of more rows than one wants to hold: as Output.table, with widths that only grow. */
export class StreamedTable {
  readonly #output: Output;
  readonly #widths: number[];
  #rows: (readonly string[])[];

  constructor(output: Output, columns: readonly string[]) {
    this.#output = output;
    this.#widths = columns.map(() => 0);
    this.#rows = [columns];
  }

  /** @param cells without control characters */
  row(cells: readonly string[]): void {
    this.#rows.push(cells);
    if (this.#rows.length >= ROWS_AT_A_TIME) this.flush();
  }

  /** Prints what has come so far: the columns at least. */
  flush(): void {
    for (const row of this.#rows) {
      for (const [index, cell] of row.entries()) {
        this.#widths[index] = Math.max(this.#widths[index] ?? 0, cell.length);
      }
    }
    for (const row of this.#rows) {
      const cells = row.map((cell, index) => cell.padEnd(this.#widths[index] ?? 0));
      this.#output.line(cells.join('  ').trimEnd());
    }
    this.#rows = [];
  }
}
