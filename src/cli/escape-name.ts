/** Controls, and what turns the direction or the lines of a text: the Unicode bidi algorithm. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\\]/g;
const SHORT: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\\': '\\\\',
};

/**
 * A file's name so that it stays on its line, moves no terminal and looks like no other name:
 * `\n`, `\x1b`, `\u202e`, `\\`. A shell reads it as `$'…'`.
 */
export function escapeName(name: string): string {
  return name.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    const hex = code.toString(16);
    return (
      SHORT[character] ??
      (code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`)
    );
  });
}
