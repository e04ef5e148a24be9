import { join } from 'node:path';
import type { Stage } from './stage.ts';

const PACKAGE_ROOT = join(import.meta.dirname, '../..');

/** What to type while the demo's agent runs on, and to end it. */
export function howToGoOn(stage: Stage, volumes: readonly string[]): string[] {
  const { directory, agent } = stage;
  return [
    'The agent runs on. To look around:',
    '',
    `  export CLOUDVOL_SOCKET=${agent.socketPath} PATH=${join(PACKAGE_ROOT, 'bin')}:$PATH`,
    '  cloudvol volume list',
    '  cloudvol cloudsnap list',
    '  cloudvol cloudsnap history',
    ...volumes.map((volume) => `  ls ${stage.mountPoint(volume)}`),
    `  cloudvol cloudsnap backup ${volumes[0]} --wait`,
    '',
    'To end it and remove everything:',
    '',
    `  kill ${agent.child.pid} && tail --pid=${agent.child.pid} --follow /dev/null`,
    `  rm -r --one-file-system ${directory}`,
  ];
}
