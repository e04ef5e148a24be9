import { CloudvolError } from '../base/errors.ts';

/**
 * Reads the whole number above zero that an option has. @throws CloudvolError `usage/bad-number`
 */
export function parseCount(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CloudvolError('usage/bad-number', `--${option} ${text} is not a number above zero`);
}
