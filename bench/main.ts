/**
 * `npm run bench [-- NAME…]`: measures against peers in the same run; docs/BENCHMARKS.md says how
 * to read it.
 */
import { benchDataPath } from './data-path.ts';
import { benchBackup } from './backup.ts';
import { benchIncremental } from './incremental.ts';

const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  'data-path': benchDataPath,
  incremental: benchIncremental,
  backup: benchBackup,
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(BENCHES);
for (const name of names) {
  const bench = BENCHES[name];
  if (!bench) {
    console.error(`there is no benchmark ${name}; choose from ${Object.keys(BENCHES).join(', ')}`);
    process.exit(2);
  }
  await bench();
}
