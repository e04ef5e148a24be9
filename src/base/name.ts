import { CloudvolError } from './errors.ts';

/**
 * File names end at 255 bytes; what cloudvol appends to a name (`.lock`, `-dirty.12`) has to fit as
 * well.
 */
export const MAX_NAME_LENGTH = 128;

/**
 * Letters, digits and `. _ -`, beginning with a letter or digit: safe as a file name, an argument
 * and in a URL.
 */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Returns `name` when a volume, credential or secret may be called so.
 * @throws CloudvolError `<kind>/bad-name`
 */
export function checkName(kind: 'volume' | 'credential' | 'secret', name: string): string {
  const code = `${kind}/bad-name` as const;
  if (name.length > MAX_NAME_LENGTH) {
    throw new CloudvolError(code, `a ${kind} name of ${name.length} characters is too long`, {
      hint: `use at most ${MAX_NAME_LENGTH} characters`,
    });
  }
  if (!NAME.test(name)) {
    throw new CloudvolError(code, `${JSON.stringify(name)} is not a possible ${kind} name`, {
      hint: "use letters, digits, '.', '_' and '-', beginning with a letter or digit",
    });
  }
  return name;
}
