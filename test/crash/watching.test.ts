/**
 * Who watches while the server is killed, and started again, is told of everything that was accepted: straight, and through a
 * proxy with its settings as they come.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LastingReader, until } from '../api/event-reader.ts';
import { PROJECT, USER } from '../api/world.ts';
import { withPumice } from '../cli/pumice-process.ts';
import { freshPostgresql } from '../databases.ts';
import { freePort } from '../free-port.ts';

const LIVES = 3;
const WRITTEN_A_LIFE = 8;

/** Volumes that were accepted, made until so many were since the call, whatever dies meanwhile. */
async function write(address: string, accepted: string[], many: number): Promise<void> {
  const enough = accepted.length + many;
  for (const deadline = performance.now() + 60_000; accepted.length < enough; await delay(5)) {
    assert.ok(performance.now() < deadline, 'Nothing is accepted.');
    try {
      const answer = await fetch(`${address}/v3/${PROJECT}/volumes`, {
        method: 'POST',
        headers: { 'x-auth-token': `${USER}:${PROJECT}`, 'content-type': 'application/json' },
        body: JSON.stringify({ volume: { size: 1 } }),
      });
      if (answer.status === 202) accepted.push(((await answer.json()) as { volume: { id: string } }).volume.id);
    } catch {
      // Not now.
    }
  }
}

async function killedAgainAndAgain(
  context: TestContext,
  { port, through, set = [] }: { readonly port: number; readonly through: string; readonly set?: readonly string[] },
): Promise<void> {
  const direct = `http://127.0.0.1:${port}`;
  await withPumice(async ({ directory, run }) => {
    const serve = async () => {
      const settings = [`api.port=${port}`, 'quota.quota_volumes=-1', ...set];
      const pumice = run('serve', '--data', directory, ...settings.flatMap((each) => ['--set', each]));
      await pumice.address();
      return pumice;
    };
    let server = await serve();
    const accepted: string[] = [];
    // A reader without a place would rightly be told to read everything.
    await write(direct, accepted, 1);
    const reader = new LastingReader(through);
    context.after(() => reader.stop());
    await until(() => reader.isOpen);
    await write(direct, accepted, 1);
    const seen = (id: string): boolean => reader.changes.some(({ resource }) => resource === `volume:${id}`);
    await until(() => accepted.slice(1).every(seen));
    for (let life = 0; life < LIVES; life += 1) {
      const before = accepted.length;
      const writing = write(direct, accepted, WRITTEN_A_LIFE);
      await until(() => accepted.length >= before + 3);
      server.signal('SIGKILL');
      await server.ended();
      server = await serve();
      await writing;
    }
    await until(() => accepted.slice(1).every(seen));
    assert.deepEqual(reader.events.filter((event) => event === 'reset').length, 1);
    if (through !== direct) assert.ok(reader.refusals > 0);
    await reader.stop();
  });
}

/** The path of a program; undefined where it is missing. */
const programOf = (name: string): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** Resolves with its address. */
async function nginxBefore(
  context: TestContext,
  program: string,
  directory: string,
  upstream: number,
): Promise<string> {
  const port = await freePort();
  mkdirSync(directory, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; pid ${directory}/pid; error_log stderr; events {}
     http { access_log off; ${temporary.join(' ')}
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${upstream}; } } }`,
  );
  const nginx = spawn(program, ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'], {
    stdio: 'ignore',
  });
  const ended = once(nginx, 'close');
  context.after(async () => {
    nginx.kill('SIGTERM');
    await ended;
  });
  const address = `http://127.0.0.1:${port}`;
  for (const deadline = performance.now() + 30_000; ; await delay(20)) {
    assert.ok(performance.now() < deadline, 'nginx does not begin.');
    if (await fetch(address).catch(() => undefined)) return address;
  }
}

describe('who watches a server that is killed again and again', () => {
  it('misses nothing, on SQLite', async (context) => {
    const port = await freePort();
    await killedAgainAndAgain(context, { port, through: `http://127.0.0.1:${port}` });
  });

  it('misses nothing, on PostgreSQL', async (context) => {
    const database = await freshPostgresql();
    if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`);
    context.after(() => database.remove());
    const port = await freePort();
    await killedAgainAndAgain(context, {
      port,
      through: `http://127.0.0.1:${port}`,
      set: [`database.url=${database.url}`],
    });
  });

  it('misses nothing through a proxy that refuses meanwhile', async (context) => {
    const program = programOf('nginx');
    if (program === undefined) return context.skip('nginx is not installed');
    await withPumice(async ({ directory }) => {
      const port = await freePort();
      const through = await nginxBefore(context, program, join(directory, 'nginx'), port);
      await killedAgainAndAgain(context, { port, through });
    });
  });
});
