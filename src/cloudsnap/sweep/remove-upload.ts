import { CloudvolError } from '../../base/errors.ts';
import type { ClusterId } from '../../base/ids.ts';
import type { CloudsnapName } from '../../format/cloudsnap-id.ts';
import type { DeleteOptions } from '../dependants.ts';
import { isRootKey, openKey, snapPrefix } from '../object-keys.ts';
import { occupyNumber } from '../occupy-number.ts';
import { deleteInRounds } from './delete-in-rounds.ts';

export interface Removing {
  readonly clusterId: ClusterId;
  /** Under which the volume is owned. */
  readonly generation: number;
  /** Nothing is removed when anything is younger than that, by the store's clock. */
  readonly restMs: number;
  readonly storeNowMs: number;
}

/**
 * Removes what an upload left that nobody publishes any more. First its number is given up, so
 * that whoever still has it in mind finds the key of its manifest taken; only then do its objects
 * go, the one that says whose they are the last. Broken off anywhere, the next sweep goes on.
 * @returns `young` when somebody has put something there lately, `published` when it is there:
 * nothing was removed.
 */
export async function removeUpload(
  options: DeleteOptions,
  { volumeId, sequence, snapName }: CloudsnapName,
  { clusterId, generation, restMs, storeNowMs }: Removing,
  signal: AbortSignal,
): Promise<'removed' | 'young' | 'published'> {
  const { store, ownership } = options;
  const place = { clusterId, volumeId, sequence };
  await ownership.requireStill(place, generation, signal);
  const occupant = await occupyNumber(options, place, generation, signal);
  if (occupant !== 'aborted' && occupant.cloudsnapId === `${clusterId}/${snapName}`) {
    return 'published';
  }
  const keys: string[] = [];
  for await (const { key, modifiedMs } of store.list(snapPrefix(clusterId, snapName), { signal })) {
    if (storeNowMs - modifiedMs < restMs) return 'young';
    keys.push(key);
  }
  const open = openKey(clusterId, snapName);
  const others = keys.filter((key) => !isRootKey(key) && key !== open);
  const before = () => ownership.renewIfDue(place, signal);
  const rounds = { store, clock: options.clock, signal, before };
  for (const each of [keys.filter(isRootKey), others, keys.filter((key) => key === open)]) {
    await deleteInRounds(rounds, each);
  }
  return 'removed';
}

/** Nothing is deleted on the word of such a listing. */
export function listingLies(finding: string): CloudvolError {
  return new CloudvolError('cloudsnap/listing-stale', `the store's listing is wrong: ${finding}`, {
    hint: 'try again later: nothing is deleted on the word of such a listing',
  });
}
