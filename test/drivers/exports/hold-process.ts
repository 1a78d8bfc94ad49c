/** Holds a backend and lives until it is killed: `node … DIRECTORY`. Says whether it does. */
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm } from '../driver-world.ts';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('DIRECTORY');
const driver = new FileDriver({ name: 'file', directory, exec });
await driver.start(calm().signal);
console.log(await driver.hold(calm().signal));
// The lock lives as long as what holds it is reachable.
setInterval(() => driver, 1 << 30);
