/**
 * A RabbitMQ for the tests of one file, from Debian's package, else none, and then the reason.
 *
 * It has a name, ports, data and cookie of its own and listens on 127.0.0.1 alone. Erlang's port mapper, which the broker
 * starts, has a port of its own too, and both end with `stop`.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';

const BROKER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const READY_MS = 60_000;

/** Why there is none; false when there is. */
export const noRabbitmq: string | false = existsSync(BROKER)
  ? false
  : 'RabbitMQ is not installed (apt-get install rabbitmq-server)';

export interface Rabbitmq {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startRabbitmq(): Promise<Rabbitmq> {
  const home = await mkdtemp(join(tmpdir(), 'pumice-test-rabbitmq-'));
  const [port, distribution, mapper] = [await freePort(), await freePort(), await freePort()];
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    LC_ALL: 'C.UTF-8',
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(mapper),
    RABBITMQ_NODENAME: `pumice-test-${process.pid}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_MNESIA_BASE: join(home, 'data'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_PID_FILE: join(home, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(home, 'none'),
    RABBITMQ_CONF_ENV_FILE: join(home, 'none'),
  };
  const broker = spawn(BROKER, { env, cwd: home, detached: true, stdio: 'ignore' });
  const ended = once(broker, 'exit');
  const kill = (): boolean =>
    broker.exitCode === null &&
    broker.signalCode === null &&
    broker.pid !== undefined &&
    process.kill(-broker.pid, 'SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    if (kill()) await ended;
    await endMapper(env);
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    for (const until = performance.now() + READY_MS; !(await accepts(port)); await delay(100)) {
      if (broker.exitCode !== null) throw new Error(`RabbitMQ ended with ${broker.exitCode}.`);
      if (performance.now() > until) throw new Error('RabbitMQ was not ready in time.');
    }
    return { url: `amqp://guest:guest@127.0.0.1:${port}/`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The mapper refuses to end while it knows of a living node, and hears of a death a moment later. */
async function endMapper(env: Record<string, string | undefined>): Promise<void> {
  for (const until = performance.now() + 5_000; performance.now() < until; await delay(50)) {
    const said = await promisify(execFile)('epmd', ['-kill'], { env, encoding: 'utf8' }).then(
      ({ stdout, stderr }) => stdout + stderr,
      (error: { stdout?: string; stderr?: string }) => `${error.stdout}${error.stderr}`,
    );
    if (/Killed|Cannot connect/i.test(said)) return;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
