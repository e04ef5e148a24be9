import { CloudvolError } from '../base/errors.ts';

/**
 * Reads `k=v,k2=v2`, each option any number of times.
 * @throws CloudvolError `usage/bad-label`
 */
export function parseLabels(texts: readonly string[]): Record<string, string> {
  const pairs = texts
    .flatMap((text) => text.split(','))
    .map((pair): [string, string] => {
      const at = pair.indexOf('=');
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new CloudvolError('usage/bad-label', `${JSON.stringify(pair)} is not a label`, {
        hint: 'write --label name=value,other=value',
      });
    });
  // Not Object.assign: a label named __proto__ is a label.
  return Object.fromEntries(pairs);
}
