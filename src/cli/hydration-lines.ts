import { formatByteSize } from '../base/byte-size.ts';
import type { VolumeView } from '../control/schemas.ts';
import { formatDuration } from './format.ts';

/** How a volume is filled and what its readers wait for, as label and value. */
export function hydrationLines(volume: VolumeView): [string, string][] {
  const { hydration, backing } = volume;
  if (!hydration || !backing) return [['Hydration', 'done: the volume needs the cloud no more']];
  const { rateBytesPerSecond, absentTimeoutSeconds } = hydration;
  return [
    ['Hydration', `${progressOf(volume)}, ${stateOf(volume)}`],
    ...(rateBytesPerSecond === null
      ? []
      : ([['Rate limit', `${formatByteSize(rateBytesPerSecond)}/s`]] as [string, string][])),
    ...(absentTimeoutSeconds === null
      ? []
      : ([['Absent timeout', `${absentTimeoutSeconds} s`]] as [string, string][])),
    ...waitingLine(volume),
  ];
}

/** What readers of absent blocks wait for; empty while nobody waits and the store answers. */
export function waitingLine({ hydration }: VolumeView): [string, string][] {
  if (!hydration || (hydration.waitingReaders === 0 && hydration.outage === null)) return [];
  const { waitingReaders, waitingMs, outage } = hydration;
  const readers = `${waitingReaders} ${waitingReaders === 1 ? 'reader' : 'readers'}`;
  const since = waitingReaders === 0 ? '' : `, for ${formatDuration(waitingMs)}`;
  return [['Waiting', `${readers}${since}${outage === null ? '' : `: ${outage}`}`]];
}

function progressOf({ presentBlocks, blockCount }: VolumeView): string {
  return `${Math.floor((presentBlocks / blockCount) * 100)}% here`;
}

function stateOf({ hydration, name }: VolumeView): string {
  if (hydration?.active !== true) {
    return `paused (cloudvol volume hydrate ${name} --resume fetches the rest)`;
  }
  const { etaSeconds } = hydration;
  return etaSeconds === null ? 'active' : `active, ${formatDuration(etaSeconds * 1000)} to go`;
}
