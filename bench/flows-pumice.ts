/**
 * Six tasks that do nothing, as a durable flow: `node bench/flows-pumice.ts DATABASE FLOWS`. Each task is a world task, so
 * each has a journal entry that is durable before the next one begins; each flow is begun in a transaction of its own and
 * holds a resource, as a create does. Prints a line of JSON.
 */
import { openDatabase } from '../src/db/database.ts';
import { DatabaseJournal } from '../src/db/journal.ts';
import { processName } from '../src/db/sql/ownership.ts';
import type { Tx } from '../src/db/sql/tx.ts';
import { Engine } from '../src/engine/engine.ts';
import { flowsOver } from '../src/engine/flow.ts';
import { tasksOver } from '../src/engine/task.ts';
import { uuid } from '../src/lib/clock.ts';
import { median } from './report.ts';

const IN_FLIGHT = 50;
const [url = '', flows = '2000'] = process.argv.slice(2);

interface Volume {
  readonly volumeId: string;
  readonly sizeGiB: number;
}

const { world } = tasksOver<object, Tx>();
const revert = (): void => {};
const one = world({ name: 'one', execute: async ({ volumeId }: Volume) => ({ one: volumeId }), revert });
const two = world({ name: 'two', execute: async ({ volumeId }: Volume) => ({ two: volumeId }), revert });
const three = world({ name: 'three', execute: async ({ volumeId }: Volume) => ({ three: volumeId }), revert });
const four = world({ name: 'four', execute: async ({ volumeId }: Volume) => ({ four: volumeId }), revert });
const five = world({ name: 'five', execute: async ({ volumeId }: Volume) => ({ five: volumeId }), revert });
const six = world({ name: 'six', execute: async ({ volumeId }: Volume) => ({ six: volumeId }), revert });
const sixTasks = flowsOver<object, Tx>()<Volume>('six_tasks')
  .add(one)
  .add(two)
  .add(three)
  .add(four)
  .add(five)
  .add(six)
  .build({ version: 1 });

const database = await openDatabase(url, { as: 'server' });
const ended = new Map<string, () => void>();
const engine = new Engine<object, Tx>({
  journal: new DatabaseJournal(database),
  tools: {},
  flows: [sixTasks],
  listen: (event) => {
    if (event.is === 'journal-trouble') throw event.error;
    if (event.is === 'flow-ended') ended.get(event.resource)?.();
  },
});
await database.ownership.take(processName(engine.process));
await engine.start();

let begun = 0;

/** Milliseconds from the request to the durable end. */
async function runOne(): Promise<number> {
  const asked = performance.now();
  begun += 1;
  const resource = `volume:${uuid()}`;
  const over = new Promise<void>((resolve) => ended.set(resource, resolve));
  await database.write((tx) =>
    engine.begin(
      tx,
      sixTasks,
      { volumeId: resource, sizeGiB: 1 },
      { resource, holds: [{ resource, mode: 'exclusive' }], projectId: 'bench', requestId: `req-${begun}` },
    ),
  );
  await over;
  ended.delete(resource);
  return performance.now() - asked;
}

async function run(count: number, inFlight: number): Promise<number[]> {
  let left = count;
  const latencies: number[] = [];
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      latencies.push(await runOne());
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return latencies;
}

await run(Number(flows) / 4, IN_FLIGHT);
const began = performance.now();
const cpuBefore = process.cpuUsage();
const { commits } = database.stats;
await run(Number(flows), IN_FLIGHT);
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const commitsMade = database.stats.commits - commits;
const latencies = await run(Math.ceil(Number(flows) / 20), 1);

console.log(
  JSON.stringify({
    perSecond: Number(flows) / seconds,
    cpuMs: (user + system) / 1000 / Number(flows),
    commits: commitsMade / Number(flows),
    latencyMs: median(latencies),
  }),
);
await engine.stop();
await database.close();
