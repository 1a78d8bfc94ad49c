/**
 * `npm run bench`: Pumice's figures, each beside a peer measured in the same run. Prints ratios, and writes them to
 * bench/RESULTS.md.
 *
 *     npm run bench                     all of it, some minutes on a quiet machine
 *     npm run bench -- --quick          two rounds, a fifth of the operations; prints only
 *     npm run bench -- --only reads     these figures (may be said more than once); prints only
 *     npm run bench -- --beside REV     another revision beside this one, in the same rounds; prints only
 *
 * To see where time goes, let the processes that are measured write profiles:
 *
 *     NODE_OPTIONS='--cpu-prof --cpu-prof-dir=/tmp/profiles' npm run bench -- --quick --only reads
 */
import { parseArgs } from 'node:util';
import { backups } from './backups.ts';
import { busyHost } from './busy-host.ts';
import { copies } from './copies.ts';
import { creates } from './creates.ts';
import { deletes } from './deletes.ts';
import { dependents } from './dependents.ts';
import { exports } from './exports.ts';
import { flows } from './flows.ts';
import { fullBackend } from './full-backend.ts';
import { importing } from './import.ts';
import { large } from './large.ts';
import { metrics } from './metrics.ts';
import { page } from './page.ts';
import { pauses } from './pauses.ts';
import { rbd } from './rbd.ts';
import { reads } from './reads.ts';
import { plainTable, type Result } from './report.ts';
import { describeMachine, writeResults } from './results.ts';
import { s3Backups } from './s3-backups.ts';
import { scale } from './scale.ts';
import { startup } from './startup.ts';
import { watchers } from './watchers.ts';
import { openWorld, type World } from './world.ts';

const FIGURES: Readonly<Record<string, (world: World) => Promise<Result[]>>> = {
  flows,
  creates,
  deletes,
  dependents,
  'full-backend': fullBackend,
  rbd,
  reads,
  metrics,
  watchers,
  page,
  startup,
  exports,
  pauses,
  copies,
  backups,
  's3-backups': s3Backups,
  'busy-host': busyHost,
  scale,
  large,
  import: importing,
};

const { quick, only, beside } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    beside: { type: 'string' },
  },
}).values;
const unknown = only.find((name) => !(name in FIGURES));
if (unknown !== undefined) {
  console.error(`There is no figure ${unknown}. There are: ${Object.keys(FIGURES).join(', ')}.`);
  process.exit(2);
}

// Ends as at the end of a run: what the run started goes with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const tell = (text: string): void => console.error(`bench: ${text}`);
const world = await openWorld({ quick, tell, beside });
const machine = await describeMachine(world);
console.log(machine.lines.join('\n'));
const results: Result[] = [];
for (const [name, measure] of Object.entries(FIGURES)) {
  if (only.length > 0 && !only.includes(name)) continue;
  tell(name);
  const found = await measure(world);
  console.log(`\n${plainTable(found)}\n`);
  results.push(...found);
}
if (quick || only.length > 0 || beside !== undefined)
  tell('bench/RESULTS.md is left as it is: it is written by a whole run');
else tell(`written: ${writeResults(machine, results)}`);
