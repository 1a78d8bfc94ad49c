/** A process that makes one call of the LVM driver, to be killed while it does: `node … PLACE REQUEST`. */
import { exec } from '../../../src/lib/exec.ts';
import { calm, perform, type Request } from '../driver-world.ts';
import { driverIn, type LvmPlace } from './lvm-world.ts';

const [place, request] = process.argv.slice(2);
if (place === undefined || request === undefined) throw new Error('PLACE REQUEST');
const driver = driverIn(JSON.parse(place) as LvmPlace, exec);
await driver.start(calm().signal);
await perform(driver, JSON.parse(request) as Request, calm());
