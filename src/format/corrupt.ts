import { CloudvolError } from '../base/errors.ts';

/**
 * The one thing that a decoder throws, whatever is wrong with the bytes.
 * @param what names the object and what is wrong with it.
 */
export function corrupt(what: string, cause?: unknown): CloudvolError {
  return new CloudvolError('format/corrupt', what, {
    hint: 'restore another cloudsnap, and look for what altered the object',
    ...(cause === undefined ? {} : { cause }),
  });
}
