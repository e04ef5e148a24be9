import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where test/deps/install.sh puts a server that is no Debian package. */
export function cacheFolder(server: string): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'cloudvol-test', server);
}
