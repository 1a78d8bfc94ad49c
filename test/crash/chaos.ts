/**
 * `npm run chaos`: storms until so many strikes have been made, and what they broke.
 *
 *     npm run chaos -- --kills 200 --database both
 *     npm run chaos -- --hosts 3 --backend rbd --kills 300
 */
import { parseArgs } from 'node:util';
import type { Dialect } from './site.ts';
import { MOST_HOSTS, storm } from './storm.ts';

const HELP = `npm run chaos -- [option…]
  --kills N          strikes in all, for each database (60)
  --each N           strikes of one storm; then everything is looked at, and a new one begins (40)
  --database WHICH   sqlite, postgresql or both (both; of rbd: postgresql)
  --backend KIND     file: directories, and the processes that each database allows (file)
                     rbd: one Ceph pool, served by processes on machines of their own, that are also cut off from it
  --hosts N          of rbd: so many processes, 2 to ${MOST_HOSTS} (3)
  --seed N           the same seed makes the same choices (a new one)
  --clients N        requests at once (4)
  --seconds N        for everything to end after the last strike (60)
  --fault NAME       plants one: delete-fails-when-gone, journal-without-fence, backend-not-held, uploads-are-believed,
                     packs-are-left
  --keep             leaves the directory of the storm there, and says where it is
  --quiet            tells no strikes`;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '60' },
    each: { type: 'string', default: '40' },
    database: { type: 'string' },
    backend: { type: 'string', default: 'file' },
    hosts: { type: 'string' },
    seed: { type: 'string', default: String(1 + Math.trunc(Math.random() * 1e9)) },
    clients: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '60' },
    fault: { type: 'string' },
    keep: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const BOTH: readonly Dialect[] = ['sqlite', 'postgresql'];
const isRbd = values.backend === 'rbd';
const database = values.database ?? (isRbd ? 'postgresql' : 'both');
const dialects = database === 'both' ? BOTH : BOTH.filter((dialect) => dialect === database);
const hosts = Number(values.hosts ?? 3);

/** What of it does not exist, or null. */
function refusal(): string | null {
  for (const name of ['kills', 'each', 'seed', 'clients', 'seconds'] as const)
    if (!Number.isSafeInteger(Number(values[name])) || Number(values[name]) < 1)
      return `--${name} is a whole number of at least 1, not ${values[name]}.`;
  if (dialects.length === 0) return `--database is sqlite, postgresql or both, not ${database}.`;
  if (!isRbd && values.backend !== 'file') return `--backend is file or rbd, not ${values.backend}.`;
  if (!isRbd && values.hosts !== undefined)
    return '--hosts is of --backend rbd: a directory is served by one process, and how many there are the database decides.';
  if (isRbd && database !== 'postgresql')
    return `--backend rbd needs --database postgresql, which its processes share, not ${database}.`;
  if (isRbd && !(Number.isSafeInteger(hosts) && hosts >= 2 && hosts <= MOST_HOSTS))
    return `--hosts is 2 to ${MOST_HOSTS}, not ${values.hosts}.`;
  return null;
}

const refused = refusal();
if (refused !== null) {
  console.error(`${refused}\n\n${HELP}`);
  process.exit(2);
}
const kills = Number(values.kills);
let violations = 0;
for (const dialect of dialects) {
  let seed = Number(values.seed);
  for (let struck = 0; struck < kills; seed += 1) {
    const now = Math.min(Number(values.each), kills - struck);
    struck += now;
    console.log(`${isRbd ? `${hosts} hosts on Ceph` : dialect}: ${now} strikes, seed ${seed}`);
    const began = performance.now();
    const report = await storm({
      dialect,
      ...(isRbd && { hosts }),
      kills: now,
      seed,
      clients: Number(values.clients),
      patience: Number(values.seconds),
      keep: values.keep,
      ...(values.fault !== undefined && { fault: values.fault }),
      ...(!values.quiet && { say: (line: string) => console.log(`  ${line}`) }),
    });
    if ('missing' in report) {
      console.log(`${isRbd ? 'rbd' : dialect}: left out, ${report.missing}`);
      break;
    }
    const { violations: found, ...facts } = report;
    violations += found.length;
    console.log(
      `  ${Object.entries({ ...facts, seconds: Math.round((performance.now() - began) / 1_000) })
        .map(([key, value]) => `${key} ${value}`)
        .join(', ')}`,
    );
    console.log(found.length === 0 ? '  every promise was kept' : `  BROKEN, ${found.length} times:`);
    for (const { promise, what } of found) console.log(`    ${promise}: ${what}`);
  }
}
console.log(violations === 0 ? 'Nothing is halfway, nothing is left, nothing is lost.' : `${violations} violations.`);
process.exit(violations === 0 ? 0 : 1);
