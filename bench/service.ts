/** A whole service in a process of its own, that tells what it uses: `node bench/service.ts DATABASE DIRECTORY [noauth|local|metrics:PORT [SETTING…]]`. */
import { createLog } from '../src/lib/logging.ts';
import { wire } from '../src/wiring.ts';
import { answerUsage } from './processes.ts';
import { configOf, type Identity } from './subject.ts';

const [database = '', directory = '', identity = 'noauth', ...more] = process.argv.slice(2);
const config = configOf(database, directory, identity as Identity, more);
const service = await wire(config, createLog({ level: config.log.level }));
await service.start();
answerUsage(
  await service.listen(),
  () => service.db.stats.commits,
  () => service.stop(),
);
