/** A process that makes one call of the file driver and kills itself just before its n-th change: `node … DIRECTORY REQUEST N`. */
import fs from 'node:fs';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import { calm, perform, type Request } from '../driver-world.ts';

const [directory, request, at] = process.argv.slice(2);
if (directory === undefined || request === undefined) throw new Error('DIRECTORY REQUEST N');

let left = Number.POSITIVE_INFINITY;
const change = (): void => {
  if (--left === 0) process.kill(process.pid, 'SIGKILL');
};
const dying: Exec = (argv, options) => {
  change();
  return exec(argv, options);
};
for (const name of ['open', 'copyFile', 'writeFile', 'link', 'rename', 'unlink'] as const) {
  const real = files[name] as (...args: readonly unknown[]) => Promise<unknown>;
  Object.assign(files, {
    [name]: (...args: readonly unknown[]) => {
      change();
      return real(...args);
    },
  });
}
const open = fs.open as (...args: readonly unknown[]) => void;
Object.assign(fs, {
  open: (...args: readonly unknown[]) => {
    if (args[1] !== 'r') change();
    open(...args);
  },
});
syncBuiltinESMExports();

const driver = new FileDriver({ name: 'file', directory, exec: dying });
await driver.start(calm().signal);
left = Number(at);
await perform(driver, JSON.parse(request) as Request, calm());
