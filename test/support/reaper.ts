/** Every test that mounts, loops or starts a process opens a reaper first: it outlives the test. */
export { openReaper, type Reaper } from '../../src/demo/reaper/reaper.ts';
