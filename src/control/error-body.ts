import { CloudvolError, type ErrorCode } from '../base/errors.ts';

/** An error as it travels: the body of every answer that is not 200. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly hint?: string;
    readonly details?: NonNullable<CloudvolError['details']>;
  };
}

export function toErrorBody(error: CloudvolError): ErrorBody {
  const { code, message, hint, details } = error;
  return { error: { code, message, ...(hint && { hint }), ...(details && { details }) } };
}

/** undefined when the value is not an error body. */
export function fromErrorBody(value: unknown): CloudvolError | undefined {
  if (!isRecord(value) || !isRecord(value['error'])) return undefined;
  const { code, message, hint, details } = value['error'];
  if (typeof code !== 'string' || !code.includes('/') || typeof message !== 'string') {
    return undefined;
  }
  return new CloudvolError(code as ErrorCode, message, {
    ...(typeof hint === 'string' && { hint }),
    ...(isRecord(details) && { details: details as NonNullable<CloudvolError['details']> }),
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
