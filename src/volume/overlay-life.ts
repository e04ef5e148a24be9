import { randomBytes } from 'node:crypto';
import type { Log } from '../base/log.ts';
import type { Extent } from '../base/extent.ts';
import type { VolumeState } from '../format/volume-state.ts';
import type { NativeOverlay, OverlayHandle, OverlayOptions } from '../native.ts';
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
 * Opens the local side of a volume, by what its last life left behind:
 *
 * | last life ended | found | what happens |
 * |---|---|---|
 * | orderly | `inUse` false, sealed deltas | a new epoch begins |
 * | killed | `inUse`, live bits of this boot and session | they are taken over: nothing is lost |
 * | power cut | `inUse`, no such live bits | writes since the last seal are unrecorded: `bitsLostBefore` asks for a full |
 *
 * `inUse` is durable before the first write can happen.
 */
export async function openOverlay(
  file: VolumeStateFile,
  directory: VolumeDirectory,
  deps: OverlayLifeDeps,
  onMiss: (extent: Extent) => void,
): Promise<OverlayHandle> {
  const live = await directory.liveEpochs();
  const { inUse, bootId, id } = file.current;
  const survived = inUse && bootId === deps.bootId && live.length > 0;
  if (!survived) await file.replace((state) => beginLife(state, directory, deps));
  const options = optionsOf(file.current, directory, deps, survived ? live : []);
  const overlay = await deps.native.openOverlay(options, onMiss);
  if (survived) deps.log.info('volume.bits-recovered', { volumeId: id, epoch: live.at(-1) });
  return overlay;
}

async function beginLife(
  state: VolumeState,
  directory: VolumeDirectory,
  { bootId, log }: OverlayLifeDeps,
): Promise<VolumeState> {
  await directory.removeLive();
  await directory.ensureLive();
  const known = [
    state.epoch,
    ...(await directory.sealedEpochs()),
    ...state.chains.map((chain) => chain.baseEpoch),
  ];
  // Two above what is known: a freeze that a power cut hid may have begun the epoch in between.
  const epoch = Math.max(...known) + 2;
  const isLost = state.inUse && state.phase !== 'creating';
  if (isLost) log.warn('volume.bits-lost', { volumeId: state.id, name: state.name, epoch });
  const next: VolumeState = {
    ...state,
    inUse: true,
    bootId,
    epoch,
    session: randomBytes(16).toString('hex'),
    ...(isLost ? { bitsLostBefore: epoch } : {}),
  };
  await directory.writeState(next);
  return next;
}

function optionsOf(
  state: VolumeState,
  directory: VolumeDirectory,
  { maxSideBytes }: OverlayLifeDeps,
  live: readonly number[],
): OverlayOptions {
  const epoch = live.at(-1) ?? state.epoch;
  const isNew = state.phase === 'creating';
  return {
    dataPath: directory.dataPath,
    blockBytes: state.blockBytes,
    blockCount: state.sizeBytes / state.blockBytes,
    createData: isNew,
    bootId: state.bootId,
    session: state.session,
    liveDeltaPath: directory.liveDeltaPath(epoch),
    epoch,
    // Sealed by a freeze that was cut short before they were on disk.
    strayDeltaPaths: live.slice(0, -1).map((stray) => directory.liveDeltaPath(stray)),
    livePresentPath: state.backing ? directory.livePresentPath : '',
    durablePresentPath: state.backing ? directory.presentPath : '',
    createPresent: isNew && state.backing !== null,
    tag: tagOf(state.id),
    maxSideBytes,
  };
}

/** The orderly end: everything durable, then the mark that says so. The overlay must have no users left. */
export async function closeOverlay(
  overlay: OverlayHandle,
  file: VolumeStateFile,
  directory: VolumeDirectory,
  { native }: OverlayLifeDeps,
): Promise<void> {
  const { epoch } = native.reportOverlay(overlay);
  await native.flushOverlay(overlay);
  await native.saveDelta(overlay, directory.deltaPath(epoch));
  await file.update(() => ({ inUse: false, epoch }));
  native.dropLive(overlay);
  native.closeOverlay(overlay);
  await directory.removeLive();
}

/** Marks pages of bits as this volume's: the low 53 bits of its id, which a number holds exactly. */
export function tagOf(volumeId: string): number {
  return Number(BigInt.asUintN(53, BigInt(volumeId)));
}
