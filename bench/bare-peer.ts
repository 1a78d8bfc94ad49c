/** Starts `bare-operations.ts`, the limit of what an operation can be on SQLite, on a database and in a directory of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beside, result, type Server, startServer } from './processes.ts';
import type { Recorded } from './recorded.ts';
import { dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

export const LEAST = 'a bare server that writes the same rows and files';

/** `directory` is not there yet, and has the volumes. The database goes with the server. */
export async function startBarePeer(world: World, directory = join(newDirectory(world), 'volumes')): Promise<Server> {
  const database = await newDatabase(world, 'sqlite');
  const recorded = await result<readonly Recorded[]>(process.execPath, [
    beside('record-writes.ts'),
    database,
    `${directory}-recorded`,
  ]);
  const file = join(newDirectory(world), 'recorded.json');
  writeFileSync(file, JSON.stringify(recorded));
  mkdirSync(directory);
  const server = await startServer('bare-operations.ts', [database, directory, file]);
  return {
    ...server,
    stop: async () => {
      await server.stop();
      await dropDatabase(world, database);
    },
  };
}
