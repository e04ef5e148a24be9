/** Values that JSON can hold exactly; numbers are safe integers. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * JSON in one form only, RFC 8785 for these values: keys sorted by UTF-16 code units, no white
 * space. So equal content has equal bytes, and a hash of them.
 */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const fields = members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${fields.join()}}`;
}
