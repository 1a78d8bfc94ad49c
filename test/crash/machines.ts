/**
 * Machines, as far as a service can tell: each has a network of its own and an address on a common one, and does not see the files
 * of the others. They are namespaces of this one, and share its kernel. Whatever serves them all, such as a database, is
 * reached at the address of the common network.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { missing } from '../drivers/file/file-systems.ts';

export interface Machine {
  readonly name: string;
  readonly address: string;
  /** What no other machine sees. */
  readonly directory: string;
  /** Comes before an argv that is to run there, by its absolute path. */
  readonly run: readonly string[];
}

export interface Network {
  readonly machines: readonly Machine[];
  /** Lets the machines reach a port of 127.0.0.1 here; returns where. */
  open(port: number): Promise<{ readonly address: string; readonly port: number }>;
  remove(): void;
}

/** Why there can be no machines here; null when there can. */
export function noMachines(): string | null {
  if (process.getuid?.() !== 0) return 'a network of its own wants root';
  const absent = missing('ip', 'setpriv', 'mount');
  if (absent !== null) return absent;
  const name = `pumice-${process.pid}-try`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'del', name);
    return null;
  } catch (error) {
    return `there can be no namespaces: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Each has a directory of its name below this one. */
export function makeNetwork(directory: string, names: readonly string[]): Network {
  removeAbandoned();
  // 10.X.Y.0: unlike what else there may be.
  const prefix = `10.${200 + (process.pid % 50)}.${(process.pid >> 6) % 250}`;
  const bridge = `pb${process.pid}`;
  const gate = `${prefix}.254`;
  ip('link', 'add', bridge, 'type', 'bridge');
  ip('addr', 'add', `${gate}/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  const directories = names.map((name) => join(directory, name));
  for (const each of directories) mkdirSync(each);
  const machines = names.map((name, index): Machine => {
    const namespace = `pumice-${process.pid}-${name}`;
    const address = `${prefix}.${index + 1}`;
    const [inside, outside] = [`pi${process.pid}${name}`, `po${process.pid}${name}`];
    ip('netns', 'add', namespace);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside);
    ip('link', 'set', outside, 'master', bridge, 'up');
    ip('link', 'set', inside, 'netns', namespace);
    const there = (...args: readonly string[]): void => ip('-n', namespace, ...args);
    there('addr', 'add', `${address}/24`, 'dev', inside);
    there('link', 'set', inside, 'up');
    there('link', 'set', 'lo', 'up');
    const own = directories[index] as string;
    const hide = directories.filter((each) => each !== own).map((each) => `mount -t tmpfs none '${each}' && `);
    const run = ['ip', 'netns', 'exec', namespace, 'sh', '-c', `${hide.join('')}exec "$@"`, 'sh'];
    return { name, address, directory: own, run };
  });
  const servers: Server[] = [];
  const remove = (): void => {
    process.removeListener('exit', remove);
    for (const server of servers) server.close();
    for (const { name } of machines) ip('netns', 'del', `pumice-${process.pid}-${name}`);
    ip('link', 'del', bridge);
  };
  process.once('exit', remove);
  return {
    machines,
    remove,
    open: async (port) => {
      const server = createServer((socket) => {
        const there = connect(port, '127.0.0.1');
        for (const [from, to] of [
          [socket, there],
          [there, socket],
        ] as const) {
          from.pipe(to);
          from.on('error', () => to.destroy()).on('close', () => to.destroy());
        }
      });
      servers.push(server.unref());
      server.listen(0, gate);
      await once(server, 'listening');
      const { port: given } = server.address() as { port: number };
      return { address: gate, port: given };
    },
  };
}

/** What a killed run left. */
function removeAbandoned(): void {
  for (const line of execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n')) {
    const [name = ''] = line.split(' ');
    const pid = /^pumice-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    ip('netns', 'del', name);
    try {
      ip('link', 'del', `pb${pid}`);
    } catch {
      // Another machine of the same run was first.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
