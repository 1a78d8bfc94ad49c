/** A process that makes one call of the RBD driver, to be killed while it does: `node … ADDRESS DIRECTORY REQUEST`. */
import { RbdClient } from '../../../src/drivers/rbd/rbd-client.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm, perform, type Request } from '../driver-world.ts';
import { driverOn, VICTIM } from './rbd-world.ts';

/** What it asks of the cluster is answered late, so that it is met between its steps. */
const SLOW = ['ms_inject_delay_type=osd', 'ms_inject_delay_max=0.03', 'ms_inject_delay_probability=1'];

const [told, directory, request] = process.argv.slice(2);
if (told === undefined || directory === undefined || request === undefined)
  throw new Error('ADDRESS DIRECTORY REQUEST');
const address = { ...JSON.parse(told), options: SLOW };
const client = new RbdClient({ exec, address });
const driver = driverOn(address, client, `${directory}/elsewhere`, exec, VICTIM);
await driver.start(calm().signal);
await driver.hold(calm().signal);
process.stdout.write('begun\n');
await perform(driver, JSON.parse(request) as Request, calm());
// A program that has a volume open for it ends with it, and not before.
driver.release();
await driver.closed();
