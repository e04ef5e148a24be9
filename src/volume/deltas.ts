import type { NativeOverlay } from '../native.ts';
import type { VolumeState } from '../format/volume-state.ts';
import { planDeltas } from './delta-plan.ts';
import { tagOf } from './overlay-life.ts';
import type { VolumeDirectory } from './volume-directory.ts';

/** Folding saves files, not correctness: it waits until there are this many neighbours. */
const FOLD_FROM = 8;

/**
 * Drops and folds the sealed deltas that nobody asks for one by one. A crash in between leaves more
 * than needed, never less.
 */
export async function tidyDeltas(
  state: VolumeState,
  openViewEpochs: Iterable<number>,
  directory: VolumeDirectory,
  native: NativeOverlay,
): Promise<void> {
  const bases = [
    ...state.chains.map(({ baseEpoch }) => baseEpoch),
    ...state.pendingCommits.map(({ epoch }) => epoch),
    ...openViewEpochs,
  ];
  const { drop, fold } = planDeltas(await directory.sealedEpochs(), bases);
  await directory.removeDeltas(drop);
  for (const group of fold) {
    const last = group.at(-1);
    if (last === undefined || group.length < FOLD_FROM) continue;
    const paths = group.map((epoch) => directory.deltaPath(epoch));
    await native.mergeDeltas(
      paths,
      directory.deltaPath(last),
      state.sizeBytes / state.blockBytes,
      tagOf(state.id),
    );
    await directory.removeDeltas(group.slice(0, -1));
  }
}
