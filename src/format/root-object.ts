/**
 * An upload that was cut off goes on under the id that it has, but never writes an object again: a
 * request of the attempt before may still be on its way. So each attempt has names of its own for
 * what it makes anew.
 */

/** More than anybody waits for; then the upload begins anew. */
export const MAX_ATTEMPTS = 32;
/**
 * A full one of the largest volume has 1,300 index objects; all attempts stay below the 65,536 that
 * a root can number.
 */
export const INDEX_OBJECTS_PER_ATTEMPT = 2048;

const ROOT = 'root';
const ROOT_OBJECT = /^root(?:-([1-9][0-9]?))?$/;

/** `root` for attempt 0, `root-<attempt>` for those that went on. */
export function rootObject(attempt: number): string {
  return attempt === 0 ? ROOT : `${ROOT}-${attempt}`;
}

export function isRootObject(name: string): boolean {
  const match = ROOT_OBJECT.exec(name);
  return match !== null && Number(match[1] ?? 0) < MAX_ATTEMPTS;
}
