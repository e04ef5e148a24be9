import { readFileSync } from 'node:fs';

/** Version of this package; read when asked, since few commands want it. */
export function packageVersion(): string {
  // src/base and dist/base lie equally deep below package.json.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
