import { CloudvolError } from './errors.ts';

/**
 * Powers of 1024, whatever the spelling: `4G`, `4GB` and `4GiB` are the same size, as storage
 * commands have it.
 */
const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const;
const SIZE = /^(\d+)(?:\.(\d{1,6}))?\s*([KMGTP]?)(i?B)?$/i;

/**
 * Reads `4G`, `64KiB`, `1.5g`, `4096`.
 * @returns bytes, a whole number below 2^53
 * @throws CloudvolError `usage/bad-size`
 */
export function parseByteSize(text: string): number {
  const match = SIZE.exec(text.trim());
  if (!match) throw notASize(text);
  const [, whole = '', fraction = '', unit = ''] = match;
  const factor = 1024n ** BigInt(UNITS.indexOf(unit.toUpperCase() as (typeof UNITS)[number]));
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * factor;
  if (scaled % scale !== 0n || scaled / scale > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw notASize(text);
  }
  return Number(scaled / scale);
}

/** `4 GiB`, `1.5 MiB`, `512 B`: at most one decimal. */
export function formatByteSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 1023.95 would be printed as "1024.0": it belongs to the next unit.
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = value.toFixed(unit === 0 ? 0 : 1).replace(/\.0$/, '');
  return `${digits} ${unit === 0 ? 'B' : `${UNITS[unit]}iB`}`;
}

function notASize(text: string): CloudvolError {
  return new CloudvolError('usage/bad-size', `${JSON.stringify(text)} is not a size`, {
    hint: 'write a size such as 4G, 512MiB or 4096',
  });
}
