/** A process that makes one call of the file driver, to be killed while it does: `node … DIRECTORY REQUEST [PORTAL]`. */
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm, perform, type Request } from '../driver-world.ts';
import { exportingDriver } from '../exports/tgt-world.ts';

const [directory, request, portal] = process.argv.slice(2);
if (directory === undefined || request === undefined) throw new Error('DIRECTORY REQUEST');
const driver =
  portal === undefined ? new FileDriver({ name: 'file', directory, exec }) : exportingDriver(directory, exec, portal);
await driver.start(calm().signal);
await perform(driver, JSON.parse(request) as Request, calm());
