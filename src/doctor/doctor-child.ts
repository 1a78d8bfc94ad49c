/**
 * The process that examines for a server (`run-doctor.ts`), and ends: it reads whole tables and asks every backend, which would hold up
 * whoever the server answers meanwhile. The configuration comes on its standard input, the report goes out as JSON. It repairs nothing.
 */
import { text } from 'node:stream/consumers';
import { openDatabase } from '../db/database.ts';
import { driverOf } from '../drivers/driver-of.ts';
import type { Config } from '../lib/config/config.ts';
import { examine, releaseBackends, startBackends } from './examine.ts';
import { reportFacts } from './report-facts.ts';

/** As `pumice doctor` has it, where nothing is said. */
const PATIENCE_MS = 10 * 60_000;

try {
  const config = JSON.parse(await text(process.stdin)) as Config;
  process.stdout.write(JSON.stringify(await reportOn(config)));
} catch (error) {
  // Whoever asked is told this, and not where in here it was.
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function reportOn(config: Config): Promise<object> {
  const { signal } = new AbortController();
  // A pause alone keeps no process alive.
  const life = setInterval(() => {}, 2 ** 30);
  try {
    const db = await openDatabase(config.database.url, { as: 'tool' });
    try {
      const backends = await startBackends(config, driverOf, signal);
      try {
        return reportFacts(await examine({ db, config, patienceMs: PATIENCE_MS, backends, signal }, { repair: false }));
      } finally {
        releaseBackends(backends);
      }
    } finally {
      await db.close();
    }
  } finally {
    clearInterval(life);
  }
}
