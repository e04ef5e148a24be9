import { CloudvolError } from '../base/errors.ts';

/** Reads a whole number of seconds; 0 means for ever. @throws CloudvolError `usage/bad-number` */
export function parseSeconds(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CloudvolError('usage/bad-number', `--${option} ${text} is not a number of seconds`);
}
