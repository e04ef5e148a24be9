import { compareKeys } from '../key.ts';
import type { ObjectInfo } from '../object-store.ts';
import { storeError } from '../store-error.ts';

/**
 * Turns the order in which Azure lists into the contract's. Azure sorts names by UTF-16 code units
 * (seen, not documented): that is by code points, except that characters above U+FFFF come before
 * U+E000 … U+FFFF. So a name with such a character is held back, and what follows it too, until the
 * listing has left everything that begins like that name does before the character. Names without
 * one, which is all that cloudvol makes, pass through at once.
 *
 * @throws CloudvolError `store/unsupported` when names come in another order: accounts with a
 *   hierarchical namespace sort folder by folder.
 */
export async function* inKeyOrder(
  listed: AsyncIterable<ObjectInfo>,
  location: string,
): AsyncGenerator<ObjectInfo> {
  let held: ObjectInfo[] = [];
  let heldPrefix = '';
  let last: string | undefined;
  const check = (info: ObjectInfo) => {
    if (last !== undefined && compareKeys(info.key, last) <= 0) throw outOfOrder(location);
    last = info.key;
    return info;
  };
  for await (const info of listed) {
    if (held.length > 0 && !info.key.startsWith(heldPrefix)) {
      for (const one of sorted(held)) yield check(one);
      held = [];
    }
    const prefix = beforeSurrogate(info.key);
    if (held.length > 0) {
      // Everything in here begins with heldPrefix; the shorter of two such parts holds longer.
      if (prefix !== undefined && prefix.length < heldPrefix.length) heldPrefix = prefix;
      held.push(info);
    } else if (prefix !== undefined) {
      heldPrefix = prefix;
      held.push(info);
    } else {
      yield check(info);
    }
  }
  for (const one of sorted(held)) yield check(one);
}

function sorted(infos: readonly ObjectInfo[]): ObjectInfo[] {
  return infos.toSorted((left, right) => compareKeys(left.key, right.key));
}

/** What stands before the first character above U+FFFF; undefined when there is none. */
function beforeSurrogate(key: string): string | undefined {
  const index = key.search(/[\u{10000}-\u{10ffff}]/u);
  return index < 0 ? undefined : key.slice(0, index);
}

function outOfOrder(location: string) {
  return storeError('store/unsupported', `${location} does not list its objects by their names`, {
    hint: 'use a storage account without hierarchical namespace',
  });
}
