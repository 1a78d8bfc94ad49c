/**
 * Machines, as far as a service can tell: each has a network of its own and an address on a common one, and does not see the files
 * of the others. They are namespaces of this one, and share its kernel. Whatever serves them all, such as a database, is
 * reached at this machine's address on a network that they are on: the common one, or another one, from which a machine may be cut off alone.
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
  /** What it sends on that network is lost from now on, and so is what it is sent. Nobody is told. */
  cut(network: string): void;
  mend(network: string): void;
}

export interface Network {
  readonly machines: readonly Machine[];
  /** The address here, on that network. */
  gate(network?: string): string;
  /** Lets the machines reach a port of 127.0.0.1 here by that network; returns where. */
  open(port: number, network?: string): Promise<{ readonly address: string; readonly port: number }>;
  remove(): void;
}

/** The network that all machines are on. */
const COMMON = 'common';

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

/** Each has a directory of its name below this one. `more`: networks beside the common one, fewer than ten. */
export function makeNetwork(directory: string, names: readonly string[], more: readonly string[] = []): Network {
  removeAbandoned();
  const networks = [COMMON, ...more];
  const numberOf = (network: string): number => networks.indexOf(network);
  // 10.X.Y.0: unlike what else there may be.
  const prefix = (network: string): string =>
    `10.${200 + (process.pid % 50)}.${(((process.pid >> 6) % 25) * 10 + numberOf(network)) % 250}`;
  const bridge = (network: string): string => bridgeOf(process.pid, numberOf(network));
  const gate = (network = COMMON): string => `${prefix(network)}.254`;
  for (const network of networks) {
    ip('link', 'add', bridge(network), 'type', 'bridge');
    ip('addr', 'add', `${gate(network)}/24`, 'dev', bridge(network));
    ip('link', 'set', bridge(network), 'up');
  }
  const directories = names.map((name) => join(directory, name));
  for (const each of directories) mkdirSync(each);
  const machines = names.map((name, index): Machine => {
    const namespace = `pumice-${process.pid}-${name}`;
    const there = (...args: readonly string[]): void => ip('-n', namespace, ...args);
    const outside = (network: string): string => `po${process.pid}${index}${numberOf(network)}`;
    ip('netns', 'add', namespace);
    there('link', 'set', 'lo', 'up');
    for (const network of networks) {
      const inside = `pi${process.pid}${index}${numberOf(network)}`;
      ip('link', 'add', outside(network), 'type', 'veth', 'peer', 'name', inside);
      ip('link', 'set', outside(network), 'master', bridge(network), 'up');
      ip('link', 'set', inside, 'netns', namespace);
      there('addr', 'add', `${prefix(network)}.${index + 1}/24`, 'dev', inside);
      there('link', 'set', inside, 'up');
    }
    const own = directories[index] as string;
    const hide = directories.filter((each) => each !== own).map((each) => `mount -t tmpfs none '${each}' && `);
    const run = ['ip', 'netns', 'exec', namespace, 'sh', '-c', `${hide.join('')}exec "$@"`, 'sh'];
    return {
      name,
      address: `${prefix(COMMON)}.${index + 1}`,
      directory: own,
      run,
      cut: (network) => ip('link', 'set', outside(network), 'nomaster'),
      mend: (network) => ip('link', 'set', outside(network), 'master', bridge(network)),
    };
  });
  const servers: Server[] = [];
  const remove = (): void => {
    process.removeListener('exit', remove);
    for (const server of servers) server.close();
    for (const { name } of machines) ip('netns', 'del', `pumice-${process.pid}-${name}`);
    for (const network of networks) ip('link', 'del', bridge(network));
  };
  process.once('exit', remove);
  return {
    machines,
    gate,
    remove,
    open: async (port, network) => {
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
      server.listen(0, gate(network));
      await once(server, 'listening');
      const { port: given } = server.address() as { port: number };
      return { address: gate(network), port: given };
    },
  };
}

const bridgeOf = (pid: number, network: number): string => `pb${pid}n${network}`;

/** What a killed run left. */
function removeAbandoned(): void {
  for (const line of execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n')) {
    const [name = ''] = line.split(' ');
    const pid = /^pumice-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    ip('netns', 'del', name);
    for (const network of Array(10).keys()) {
      try {
        ip('link', 'del', bridgeOf(Number(pid), network));
      } catch {
        // There were fewer, or another machine of the same run was first.
      }
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
