import { CloudvolError } from '../base/errors.ts';

/**
 * The names on the way from the root of a cloudsnap's file system to what somebody asked for.
 * A leading slash changes nothing: there is only one root.
 * @throws CloudvolError `catalog/bad-path` for `..`, which has no meaning without a place to be in,
 * and for a zero byte
 */
export function namesOfPath(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw badPath(path, "it has '..' in it");
  if (path.includes('\0')) throw badPath(path, 'it has a zero byte in it');
  return names;
}

function badPath(path: string, why: string): CloudvolError {
  const message = `${JSON.stringify(path)} names no file in a cloudsnap: ${why}`;
  return new CloudvolError('catalog/bad-path', message, {
    hint: 'write the path from the root of its file system, such as /srv/www',
  });
}
