/**
 * The one error class of cloudvol. Everything that can go wrong outside the program (input, host,
 * store, data) is thrown as a CloudvolError; programmer errors assert and crash.
 */

/**
 * `area/reason`, e.g. `store/not-found`. The area is the folder that defines the error; scripts may
 * rely on the code.
 */
export type ErrorCode = `${string}/${string}`;

export interface ErrorDetails {
  /** What the reader can do about it: one sentence, an imperative. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Names and numbers for logs and for `--json`; never a secret. */
  readonly details?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

export class CloudvolError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: ErrorDetails['details'];

  /**
   * @param message one sentence that names the thing: what happened, to what. No trailing full
   * stop.
   */
  constructor(code: ErrorCode, message: string, options: ErrorDetails = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CloudvolError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }
}

export function hasCode(error: unknown, code: ErrorCode): error is CloudvolError {
  return error instanceof CloudvolError && error.code === code;
}

/** The errno name (`ENOENT`, …) of a Node system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
