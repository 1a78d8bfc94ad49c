/**
 * A process that makes one call of the file driver, to be killed while it does: `node … DIRECTORY REQUEST [PORTAL]`. A clone of a small file ends too soon
 * for that, so it stops when it has made one.
 */
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { type SmallFiles, smallFiles } from '../../../src/drivers/file/small-files.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm, perform, type Request } from '../driver-world.ts';
import { exportingDriver } from '../exports/tgt-world.ts';

const [directory, request, portal] = process.argv.slice(2);
if (directory === undefined || request === undefined) throw new Error('DIRECTORY REQUEST');
const small: SmallFiles = {
  ...smallFiles,
  clone: async (source, target) => {
    const cloned = await smallFiles.clone(source, target);
    if (cloned) process.kill(process.pid, 'SIGSTOP');
    return cloned;
  },
};
const driver =
  portal === undefined
    ? new FileDriver({ name: 'file', directory, exec, small })
    : exportingDriver(directory, exec, portal);
await driver.start(calm().signal);
await perform(driver, JSON.parse(request) as Request, calm());
