import { formatByteSize } from '../base/byte-size.ts';

/** What a step did; a number that does not apply is left out. */
export interface StepFigures {
  /** Bytes that were written, uploaded, fetched or compared. */
  readonly bytes?: number;
  readonly remark?: string;
}

interface Row extends StepFigures {
  readonly step: string;
  readonly ms: number;
  readonly requests: number;
}

/** Times steps, says each when it is done, and prints all as a table. */
export class StepTable {
  readonly #say: (line: string) => void;
  readonly #countRequests: () => Promise<number>;
  readonly #rows: Row[] = [];

  /** @param countRequests all requests to the object store so far */
  constructor(say: (line: string) => void, countRequests: () => Promise<number>) {
    this.#say = say;
    this.#countRequests = countRequests;
  }

  /** Runs a step; `figures` reads what the table says about it from its result. */
  async step<T>(
    name: string,
    run: () => Promise<T>,
    figures: (result: T) => StepFigures = () => ({}),
  ): Promise<T> {
    const before = await this.#countRequests();
    const started = performance.now();
    const result = await run();
    const ms = performance.now() - started;
    const requests = (await this.#countRequests()) - before;
    const row = { step: name, ms, requests, ...figures(result) };
    this.#rows.push(row);
    this.#say(`${seconds(row.ms).padStart(7)}  ${name}${row.remark ? `: ${row.remark}` : ''}`);
    return result;
  }

  /** Lines of the table, numbers flush right. */
  lines(): string[] {
    const sum = (field: 'ms' | 'requests') =>
      this.#rows.reduce((total, row) => total + row[field], 0);
    return renderTable([
      ...this.#rows,
      { step: 'total', ms: sum('ms'), requests: sum('requests') },
    ]);
  }
}

function renderTable(rows: readonly Row[]): string[] {
  const cells = [
    ['STEP', 'TIME', 'BYTES', 'REQUESTS'],
    ...rows.map(({ step, ms, bytes, requests }) => [
      step,
      seconds(ms),
      bytes === undefined ? '' : formatByteSize(bytes),
      requests === 0 ? '' : String(requests),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  return cells.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
