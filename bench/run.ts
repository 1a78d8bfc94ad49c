/**
 * `npm run bench`: Pumice's figures, each beside a peer measured in the same run. Prints ratios, and writes each part, as soon as it
 * is measured, to its own section of bench/RESULTS.md.
 *
 *     npm run bench                     all of it, an hour on a quiet machine
 *     npm run bench -- --only reads     this part (may be said more than once); renews its section alone
 *     npm run bench -- --quick          two rounds, a fifth of the operations; prints only
 *     npm run bench -- --rounds 3       so many rounds instead of five; the section says it
 *     npm run bench -- --beside REV     another revision beside this one, in the same rounds; prints only
 *     npm run bench -- --beside REV --write
 *
 * To see where time goes, let the processes that are measured write profiles:
 *
 *     NODE_OPTIONS='--cpu-prof --cpu-prof-dir=/tmp/profiles' npm run bench -- --quick --only reads
 */
import { parseArgs } from 'node:util';
import { PARTS } from './parts.ts';
import { plainTable, toldLimits } from './report.ts';
import { describeMachine, writeSection } from './results.ts';
import { openWorld } from './world.ts';

const { quick, only, rounds, beside, write } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
    beside: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
}).values;
const unknown = only.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  console.error(`There is no part ${unknown}. There are: ${Object.keys(PARTS).join(', ')}.`);
  process.exit(2);
}
if (rounds !== undefined && !/^[1-9]\d?$/.test(rounds)) {
  console.error(`--rounds is 1 to 99, not ${rounds}.`);
  process.exit(2);
}

// Ends as at the end of a run: what the run started goes with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const isWritten = !quick && (beside === undefined || write);
const tell = (text: string): void => console.error(`bench: ${text}`);
const world = await openWorld({ quick, rounds: rounds === undefined ? undefined : Number(rounds), tell, beside });
for (const [name, part] of Object.entries(PARTS)) {
  if (only.length > 0 && !only.includes(name)) continue;
  tell(name);
  const machine = await describeMachine(world);
  console.log(`\n${machine.join('\n')}`);
  const results = await part.measure(world);
  console.log(`\n${plainTable(results)}\n\n${part.limit}\n${toldLimits(results).join('\n')}\n`);
  if (isWritten) tell(`written: ${writeSection({ name, machine, limit: part.limit, results })}`);
}
if (!isWritten) tell('bench/RESULTS.md is left as it is');
