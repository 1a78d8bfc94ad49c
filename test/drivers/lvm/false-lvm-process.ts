/** A process that makes one call of the LVM driver on a model of LVM, to be killed while it does: `node … DIRECTORY REQUEST`. */
import { calm, perform, type Request } from '../driver-world.ts';
import { falsePrograms } from './false-lvm.ts';
import { falseLvmDriver } from './false-lvm-world.ts';

const [directory, request] = process.argv.slice(2);
if (directory === undefined || request === undefined) throw new Error('DIRECTORY REQUEST');
const driver = falseLvmDriver(directory, falsePrograms);
await driver.start(calm().signal);
await perform(driver, JSON.parse(request) as Request, calm());
