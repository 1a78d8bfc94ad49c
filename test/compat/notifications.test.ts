/** Our notifications and a listener of oslo.messaging (Debian's package), on a real RabbitMQ, whoever comes first. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { connect } from 'amqplib';
import { AmqpSink } from '../../src/events/sink-amqp.ts';
import { condition } from '../crash/condition.ts';
import { noRabbitmq, type Rabbitmq, startRabbitmq } from '../events/rabbitmq-server.ts';
import { anEvent } from '../events/rows.ts';

const PYTHON = '/usr/bin/python3';
const DEADLINE_MS = 60_000;
const TOPIC = 'notifications';
const signal = new AbortController().signal;

function noOslo(): string | false {
  try {
    execFileSync(PYTHON, ['-c', 'import oslo_messaging'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'oslo.messaging is not installed (apt-get install python3-oslo.messaging)';
  }
}

class Listener {
  readonly #process: ChildProcess;
  #out = '';
  #err = '';

  constructor(url: string, options: readonly string[]) {
    const argv = [
      join(import.meta.dirname, 'oslo-listener.py'),
      url.replace('amqp://', 'rabbit://'),
      TOPIC,
      ...options,
    ];
    this.#process = spawn(PYTHON, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text;
    });
  }

  async says(line: string): Promise<void> {
    const isSaid = () => {
      assert.equal(this.#process.exitCode, null, this.#err);
      assert.doesNotMatch(this.#err, /PRECONDITION_FAILED|PreconditionFailed/);
      return this.#out.split('\n').includes(line);
    };
    try {
      await condition(`the listener says ${line}`, DEADLINE_MS, isSaid);
    } catch (error) {
      throw new Error(`It says ${JSON.stringify(this.#out)}, and of errors ${this.#err || 'none'}.`, { cause: error });
    }
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}

describe('a listener of oslo.messaging', { skip: noRabbitmq || noOslo() }, () => {
  let broker: Rabbitmq;
  const ends: (() => Promise<void>)[] = [];

  before(async () => {
    broker = await startRabbitmq();
  });
  after(() => broker?.stop());
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    const connection = await connect(broker.url);
    const channel = await connection.createChannel();
    await channel.deleteExchange('openstack');
    await channel.deleteQueue(`${TOPIC}.info`);
    await connection.close();
  });

  function listener(...options: readonly string[]): Listener {
    const made = new Listener(broker.url, options);
    ends.push(() => made.end());
    return made;
  }

  async function deliver(eventType: string, durable?: boolean): Promise<void> {
    const sink = new AmqpSink({ url: broker.url, topics: [TOPIC], ...(durable !== undefined && { durable }) });
    ends.push(() => sink.close());
    await sink.deliver([anEvent(1, { eventType })], signal);
  }

  test('with its default options starts after us, and is given what waited', async () => {
    await deliver('volume.create.start');
    await listener().says('volume.create.start');
  });

  test('with its default options starts before us', async () => {
    const first = listener();
    await first.says('ready');
    await deliver('volume.create.end');
    await first.says('volume.create.end');
  });

  test('with amqp_durable_queues starts after us with the same option', async () => {
    await deliver('volume.delete.start', true);
    await listener('amqp_durable_queues').says('volume.delete.start');
  });

  for (const [options, durable] of [
    [['amqp_durable_queues'], false],
    [[], true],
  ] as const) {
    test(`that came first is served ${durable ? 'not durable' : 'durable'}, as it wants it, though we are told otherwise`, async () => {
      const first = listener(...options);
      await first.says('ready');
      await deliver('volume.delete.end', durable);
      await first.says('volume.delete.end');
    });
  }
});
