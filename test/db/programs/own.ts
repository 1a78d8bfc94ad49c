/**
 * Opens a database as a server, takes a name, and lives until it is killed; with `says`, it says so every 50 ms, to the database and here,
 * until its session is lost.
 */
import { openDatabase } from '../../../src/db/database.ts';
import { pause } from '../../../src/lib/clock.ts';

const [url = '', name = '', says] = process.argv.slice(2);
const { ownership } = await openDatabase(url, { as: 'server' });
console.log((await ownership.take(name)) ? 'taken' : 'refused');
if (says === undefined) setInterval(() => {}, 1 << 30);
else {
  ownership.onLost(() => console.log('lost'));
  const { signal } = new AbortController();
  while (!ownership.lost) {
    await ownership.endSilent(60_000).catch(() => {});
    if (!ownership.lost) console.log('lives');
    await pause(50, signal);
  }
  setInterval(() => {}, 1 << 30);
}
