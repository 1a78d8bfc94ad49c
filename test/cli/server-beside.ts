/** A database with a server that works on it, for commands that are typed beside one. */
import type { TestContext } from 'node:test';
import { openDatabase } from '../../src/db/database.ts';
import { freshSqlite } from '../databases.ts';
import { liveSiteOn } from '../flows/live-site.ts';

/** `set`: what a command is told of it. */
export async function serverBeside(context: TestContext) {
  const fresh = await freshSqlite();
  const database = await openDatabase(fresh.url, { as: 'server' });
  const live = await liveSiteOn(database);
  context.after(async () => {
    await live.close();
    await database.close();
    await fresh.remove();
  });
  return { live, database, set: [`database.url=${fresh.url}`] };
}
