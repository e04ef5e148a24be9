import { randomBytes } from 'node:crypto';
import { CloudvolError } from '../base/errors.ts';
import type { Extent } from '../base/extent.ts';
import type { Log } from '../base/log.ts';
import type { VolumeState } from '../format/volume-state.ts';
import type { NativeOverlay, OverlayHandle, OverlayOptions } from '../native.ts';
import { lastLifeOf, type LastLife } from './last-life.ts';
import { openingError, overlayError } from './overlay-error.ts';
import type { VolumeDirectory } from './volume-directory.ts';
import type { VolumeStateFile } from './volume-state-file.ts';

export interface OverlayLifeDeps {
  readonly native: NativeOverlay;
  readonly bootId: string;
  readonly log: Log;
  /** Bound for what views may copy aside, all together. */
  readonly maxSideBytes: number;
}

/**
 * Opens the local side of a volume: goes on with a life that was cut short, or begins a new one
 * (see lastLifeOf). `inUse` is durable before the first write can happen.
 * @throws CloudvolError `volume/no-space`, `volume/corrupt`, `volume/not-opened`, …
 */
export async function openOverlay(
  file: VolumeStateFile,
  directory: VolumeDirectory,
  deps: OverlayLifeDeps,
  onMiss: (extent: Extent) => void,
): Promise<OverlayHandle> {
  const before = file.current;
  try {
    if (before.phase !== 'creating') await requireData(before, directory);
    const life = await lastLifeOf(before, directory, deps.bootId);
    if (life.end === 'killed') return await goOn(file, life, directory, deps, onMiss);
    await file.replace((state) => beginLife(state, life, directory, deps));
    try {
      return await deps.native.openOverlay(optionsOf(file.current, directory, deps, []), onMiss);
    } catch (error) {
      if (life.end === 'orderly') await takeBack(before, file, directory, deps.log);
      throw error;
    }
  } catch (error) {
    throw openingError(error, before.name);
  }
}

async function goOn(
  { current }: VolumeStateFile,
  { liveEpochs }: LastLife,
  directory: VolumeDirectory,
  deps: OverlayLifeDeps,
  onMiss: (extent: Extent) => void,
): Promise<OverlayHandle> {
  const options = optionsOf(current, directory, deps, liveEpochs);
  const overlay = await deps.native.openOverlay(options, onMiss);
  deps.log.info('volume.bits-recovered', { volumeId: current.id, epoch: options.epoch });
  return overlay;
}

async function requireData(state: VolumeState, directory: VolumeDirectory): Promise<void> {
  const bytes = await directory.dataBytes();
  if (bytes === state.sizeBytes) return;
  const fault = bytes === undefined ? 'is missing' : `has ${bytes} bytes, not ${state.sizeBytes}`;
  throw new CloudvolError('volume/corrupt', `the data file of volume ${state.name} ${fault}`, {
    hint: 'restore the volume from a cloudsnap, or its folder from a copy',
    details: { path: directory.dataPath },
  });
}

async function beginLife(
  state: VolumeState,
  { end, highestEpoch }: LastLife,
  directory: VolumeDirectory,
  { bootId, log }: OverlayLifeDeps,
): Promise<VolumeState> {
  await directory.removeLive();
  // Two above what is known: a freeze that a power cut hid may have begun the epoch in between.
  const epoch = highestEpoch + 2;
  const isLost = end === 'power-cut' || end === 'rolled-back';
  if (isLost) log.warn('volume.bits-lost', { volumeId: state.id, name: state.name, end, epoch });
  const next: VolumeState = {
    ...state,
    inUse: true,
    bootId,
    epoch,
    session: randomBytes(16).toString('hex'),
    ...(isLost ? { bitsLostBefore: epoch } : {}),
  };
  await directory.writeState(next);
  await directory.ensureLive(next.session);
  return next;
}

/** A life that could not begin has written nothing: the orderly end before it is still true. */
async function takeBack(
  before: VolumeState,
  file: VolumeStateFile,
  directory: VolumeDirectory,
  log: Log,
): Promise<void> {
  const { inUse, bootId, session, epoch } = before;
  try {
    await directory.removeLive();
    await file.update(() => ({ inUse, bootId, session, epoch }));
  } catch (error) {
    // Then the next life takes this one for one that a power cut ended: a full more than needed.
    log.warn('volume.state-not-taken-back', { volumeId: before.id, error });
  }
}

function optionsOf(
  state: VolumeState,
  directory: VolumeDirectory,
  { maxSideBytes }: OverlayLifeDeps,
  live: readonly number[],
): OverlayOptions {
  const { session, backing } = state;
  const epoch = live.at(-1) ?? state.epoch;
  const isNew = state.phase === 'creating';
  return {
    dataPath: directory.dataPath,
    blockBytes: state.blockBytes,
    blockCount: state.sizeBytes / state.blockBytes,
    createData: isNew,
    bootId: state.bootId,
    session,
    liveDeltaPath: directory.liveDeltaPath(session, epoch),
    epoch,
    // Sealed by a freeze that was cut short before they were on disk.
    strayDeltaPaths: live.slice(0, -1).map((stray) => directory.liveDeltaPath(session, stray)),
    livePresentPath: backing ? directory.livePresentPath(session) : '',
    durablePresentPath: backing ? directory.presentPath : '',
    createPresent: isNew && backing !== null,
    tag: tagOf(state.id),
    maxSideBytes,
  };
}

/**
 * The orderly end: everything durable, then the mark that says so. The overlay must have no users
 * left; it is closed in any case. After a failure the live bits stay, as after a SIGKILL.
 */
export async function closeOverlay(
  overlay: OverlayHandle,
  file: VolumeStateFile,
  directory: VolumeDirectory,
  { native }: OverlayLifeDeps,
): Promise<void> {
  try {
    const { epoch } = native.reportOverlay(overlay);
    await native.flushOverlay(overlay);
    await native.saveDelta(overlay, directory.deltaPath(epoch));
    await file.update(() => ({ inUse: false, epoch }));
  } catch (error) {
    throw overlayError(error, file.current.name, 'closed');
  } finally {
    native.closeOverlay(overlay);
  }
  await directory.removeLive();
}

/**
 * Marks pages of bits as this volume's: the low 53 bits of its id, which a number holds exactly.
 */
export function tagOf(volumeId: string): number {
  return Number(BigInt.asUintN(53, BigInt(volumeId)));
}
