/** A process that makes one call of the file driver, to be killed while it does: `node … DIRECTORY REQUEST`. */
import { FileDriver } from '../../src/drivers/file.ts';
import { exec } from '../../src/lib/exec.ts';
import { calm, perform, type Request } from './driver-world.ts';

const [directory, request] = process.argv.slice(2);
if (directory === undefined || request === undefined) throw new Error('DIRECTORY REQUEST');
const driver = new FileDriver({ name: 'file', directory, exec });
await driver.start(calm().signal);
await perform(driver, JSON.parse(request) as Request, calm());
