import type { VolumeState } from '../format/volume-state.ts';
import type { VolumeDirectory } from './volume-directory.ts';

/**
 * How the last life of a volume ended, by what it left behind:
 *
 * | end | found |
 * |---|---|
 * | `new` | a volume that is being created |
 * | `orderly` | `inUse` false: the sealed deltas are all there is |
 * | `killed` | `inUse`, and live bits of this boot and session: they are taken over |
 * | `power-cut` | `inUse`, and no such live bits: writes since the last seal are unrecorded |
 * | `rolled-back` | the record is older than what lies beside it: any write may be unrecorded |
 */
export type LifeEnd = 'new' | 'orderly' | 'killed' | 'power-cut' | 'rolled-back';

export interface LastLife {
  readonly end: LifeEnd;
  /** Of a killed one: epochs of its live deltas, ascending; else empty. */
  readonly liveEpochs: readonly number[];
  /** No epoch that anything on this host knows of is higher. */
  readonly highestEpoch: number;
}

export async function lastLifeOf(
  state: VolumeState,
  directory: VolumeDirectory,
  bootId: string,
): Promise<LastLife> {
  const sealed = await directory.sealedEpochs();
  const highestEpoch = Math.max(state.epoch, state.bitsLostBefore, ...basesOf(state), ...sealed);
  const ended = (end: LifeEnd): LastLife => ({ end, liveEpochs: [], highestEpoch });
  if (!state.inUse) {
    if (state.phase === 'creating') return ended('new');
    return ended((await isOutdated(state, sealed, directory)) ? 'rolled-back' : 'orderly');
  }
  const live = state.bootId === bootId ? await directory.liveEpochs(state.session) : [];
  const [oldest] = live;
  if (oldest === undefined) return ended('power-cut');
  if (lacksDeltas(state.epoch, oldest, sealed)) return ended('rolled-back');
  return { end: 'killed', liveEpochs: live, highestEpoch };
}

/** Epochs after which a chain, or a commit in doubt, wants to know the changes. */
function basesOf({ chains, pendingCommits }: VolumeState): number[] {
  return [...chains.map(({ baseEpoch }) => baseEpoch), ...pendingCommits.map(({ epoch }) => epoch)];
}

/** Whether the volume had a later life than the one whose orderly end this record tells of. */
async function isOutdated(
  state: VolumeState,
  sealed: readonly number[],
  directory: VolumeDirectory,
): Promise<boolean> {
  const sessions = await directory.liveSessions();
  if (sessions.some((session) => session !== state.session)) return true;
  if (sealed.some((epoch) => epoch > state.epoch)) return true;
  // The delta that the orderly end saved is dropped only by one who needs it no more.
  const isNeeded = basesOf(state).some((base) => base < state.epoch);
  return isNeeded && !sealed.includes(state.epoch);
}

/** From the epoch on that the record names, every delta is sealed or live. */
function lacksDeltas(from: number, oldestLive: number, sealed: readonly number[]): boolean {
  for (let epoch = from; epoch < oldestLive; epoch++) {
    if (!sealed.includes(epoch)) return true;
  }
  return false;
}
