/** A file backend that is reached over iSCSI, through a tgtd of its own on a port of its own. */
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { IscsiExports } from '../../../src/drivers/exports/iscsi-exports.ts';
import { Tgtd } from '../../../src/drivers/exports/tgtd.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import type { Reached } from '../../crash/iscsi-client.ts';
import { freePort } from '../../free-port.ts';
import { missing } from '../file/file-systems.ts';
import { type FileWorld, fileWorld } from '../file/file-world.ts';
import { IscsiSession } from './iscsi-session.ts';

/** Why no tgtd can run here; null when it can. */
export const noTgt: string | null = missing('tgtd', 'tgtadm');

export interface TgtWorld extends FileWorld {
  readonly portal: string;
}

export async function tgtWorld(run: Exec, parent = tmpdir()): Promise<TgtWorld> {
  const portal = `127.0.0.1:${await freePort()}`;
  const world = await fileWorld(parent, run, {
    portal,
    make: (directory, exec) => exportingDriver(directory, exec, portal),
  });
  return {
    ...world,
    portal,
    client: ({ secret, connector }, { data }) =>
      IscsiSession.open(String(connector.initiator), { ...(data as unknown as Reached), auth_password: secret }),
    cleanup: async () => {
      await killTgtd(world.directory);
      await world.cleanup();
    },
  };
}

/** A file driver that exports over iSCSI. */
export function exportingDriver(directory: string, run: Exec, portal: string): FileDriver {
  const daemon = new Tgtd({ exec: run, own: join(directory, '.tgtd'), portal });
  const exports = new IscsiExports({ daemon, prefix: 'iqn.2010-10.org.openstack:', portal });
  return new FileDriver({ name: 'file', directory, exec: run, create: true, exports });
}

/** Starts the daemon with so many worker threads for each unit. */
export const withWorkers =
  (count: number): Exec =>
  (argv, options) => {
    const [program, ...args] = argv;
    const at = args.indexOf('-t');
    return exec([program, ...(at < 0 ? args : args.with(at + 1, String(count)))], options);
  };

/** Kills the daemons whose files are below a directory, and waits until they are dead. A service may have begun another by then. */
export async function killTgtd(directory: string): Promise<number> {
  const pids = await tgtdsBelow(directory);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  const isOne = (pid: number): boolean => pids.includes(pid);
  for (let tries = 0; (await tgtdsBelow(directory)).some(isOne); tries += 1) {
    if (tries === 1_000) throw new Error(`A tgtd of ${directory} does not die.`);
    await pause(10);
  }
  return pids.length;
}

/** It forks, so there are several. */
async function tgtdsBelow(directory: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words[0] === 'tgtd' && words.some((word) => word.startsWith(directory))) found.push(Number(name));
  }
  return found;
}
