/** What is left when an error that nobody caught ends the process: real processes, with the error planted. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type Bench, type Pumice, withPumice } from '../cli/pumice-process.ts';
import { condition } from './condition.ts';

const PATIENCE_MS = 30_000;
const PLANTED = join(import.meta.dirname, 'planted.ts');
const HEADERS = { 'X-Auth-Token': 'demo:cafe', 'Content-Type': 'application/json' };

type Line = Record<string, unknown> & { readonly msg: string };

const LAST_WORDS = 'an error that nobody caught ends this process';
const OF_THE_LAST_LIFE = 'the last life ended by an error that nobody caught';

function line(text: string, msg: string): Line | undefined {
  const lines = text.split('\n').filter((each) => each.startsWith('{'));
  return lines.map((each) => JSON.parse(each) as Line).find((each) => each.msg === msg);
}

const arguments_ = ({ directory }: Bench): string[] => ['serve', '--data', directory, '--set', 'api.port=0'];
const plant = (place: string): NodeJS.ProcessEnv => ({ NODE_OPTIONS: `--import ${PLANTED}`, PLANTED: place });
const serve = (bench: Bench): Pumice => bench.run(...arguments_(bench));
const serveWith = (bench: Bench, place: string, env: NodeJS.ProcessEnv = {}): Pumice =>
  bench.runWith({ ...plant(place), ...env }, ...arguments_(bench));

async function makeVolume(address: string): Promise<string> {
  const body = JSON.stringify({ volume: { size: 1 } });
  const response = await fetch(`${address}/v3/cafe/volumes`, { method: 'POST', headers: HEADERS, body });
  return ((await response.json()) as { volume: { id: string } }).volume.id;
}

/** Serves until a volume is being made, and fails then. */
async function failsAt(pumice: Pumice): Promise<string> {
  const id = await makeVolume(await pumice.address());
  await pumice.says(/a volume is being made/);
  pumice.signal('SIGUSR2');
  return id;
}

async function isMade(address: string, id: string): Promise<void> {
  await condition('the volume is available', PATIENCE_MS, async () => {
    const response = await fetch(`${address}/v3/cafe/volumes/${id}`, { headers: HEADERS });
    return ((await response.json()) as { volume: { status: string } }).volume.status === 'available';
  });
}

describe('an error that nobody caught', () => {
  test('ends the server with 70; the log says what was in flight, and no secret', () =>
    withPumice(async (bench) => {
      const pumice = serveWith(bench, 'timer');
      const id = await failsAt(pumice);
      const { code, err } = await pumice.ended();
      assert.equal(code, 70, err);
      const said = line(err, LAST_WORDS);
      assert.partialDeepStrictEqual(said, {
        level: 'error',
        origin: 'uncaughtException',
        counts: { flows: 1, requests: 0 },
        err: { type: 'TypeError', message: 'planted' },
        flows: [{ flow: 'create_volume', resource: `volume:${id}` }],
      });
      const [flow] = (said?.flows ?? []) as { tasks: string[]; request_id: string; flow_id: string }[];
      assert.equal(flow?.tasks.length, 1);
      assert.match(`${flow?.request_id} ${flow?.flow_id}`, /^req-\S+ [0-9a-f-]{36}$/);
      assert.doesNotMatch(err, /a-secret/);
      assert.match(err, /^pumice: ended by an error that nobody caught: TypeError: planted$/m);
    }));

  test('is told once by the next start, which goes on with what was in flight, and once by the doctor', () =>
    withPumice(async (bench) => {
      const doctor = async (): Promise<[number | null, string]> => {
        const { code, out } = await bench.run('doctor', '--data', bench.directory).ended();
        return [code, out];
      };
      const first = serveWith(bench, 'timer');
      const id = await failsAt(first);
      await first.ended();

      const second = serve(bench);
      await isMade(await second.address(), id);
      const [code, out] = await doctor();
      assert.equal(code, 3, out);
      assert.match(out, /✗ server \S+ ended by an error at \S+, having begun at \S+:\s+TypeError:\s+planted/);
      assert.deepEqual((await doctor())[0], 0, 'the second doctor finds nothing');
      second.signal('SIGTERM');
      const told = line((await second.ended()).err, OF_THE_LAST_LIFE);
      assert.partialDeepStrictEqual(told, {
        level: 'error',
        type: 'TypeError',
        message: 'planted',
        flows: 1,
        requests: 0,
      });

      const third = serve(bench);
      await third.address();
      third.signal('SIGTERM');
      assert.doesNotMatch((await third.ended()).err, /the last life/);
    }));

  test('ends it as well when it was a promise that nobody waited for', () =>
    withPumice(async (bench) => {
      const pumice = serveWith(bench, 'promise');
      await failsAt(pumice);
      const { code, err } = await pumice.ended();
      assert.equal(code, 70, err);
      assert.equal(line(err, LAST_WORDS)?.origin, 'unhandledRejection');
    }));

  test('names the requests that wait for an answer by method and path', () =>
    withPumice(async (bench) => {
      const pumice = serveWith(bench, 'request');
      const address = await pumice.address();
      const answer = fetch(`${address}/healthcheck?key=a-secret`, { headers: { 'X-Auth-Token': 'a-secret' } });
      await assert.rejects(answer);
      const { code, err } = await pumice.ended();
      assert.equal(code, 70, err);
      const { requests } = line(err, LAST_WORDS) as unknown as { requests: Record<string, string>[] };
      assert.deepEqual(
        requests.map(({ method, path }) => [method, path]),
        [['GET', '/healthcheck']],
      );
      assert.match(requests[0]?.request_id ?? '', /^req-/);
      assert.doesNotMatch(err, /a-secret/);
    }));

  test('ends it also while a disk does not answer', () =>
    withPumice(async (bench) => {
      const pipe = join(bench.directory, 'pipe');
      await promisify(execFile)('mkfifo', [pipe]);
      const pumice = serveWith(bench, 'disk', { NEVER_READ: pipe });
      await failsAt(pumice);
      assert.equal((await pumice.ended()).code, 70);
    }));

  test('ends it also when nobody reads its log, and the next start knows', () =>
    withPumice(async (bench) => {
      const { run, runOn } = bench;
      const [reader, writer] = await fullPipe(bench);
      const pumice = runOn(
        ['ignore', 'pipe', writer],
        plant('timer'),
        ...arguments_(bench),
        '--set',
        'log.level=error',
      );
      await failsAt(pumice);
      assert.equal((await pumice.ended()).code, null, 'it was killed');
      closeSync(reader);
      closeSync(writer);
      const next = run(...arguments_(bench));
      await next.address();
      next.signal('SIGTERM');
      const told = line((await next.ended()).err, OF_THE_LAST_LIFE);
      assert.equal(told?.message, 'planted');
    }));

  test('is told in a line that can be read, whatever it says', () =>
    withPumice(async (bench) => {
      const pumice = serveWith(bench, 'loud');
      await failsAt(pumice);
      const { code, err } = await pumice.ended();
      assert.equal(code, 70);
      const said = line(err, LAST_WORDS) as Line & { readonly err: { readonly message: string } };
      assert.match(said.err.message, /^(planted)+p?l?a?n?t?e?…$/);
      assert.ok(err.length < 100_000);
    }));
});

/** Both ends of a pipe that nobody reads, and that holds no more. */
async function fullPipe({ directory }: Bench): Promise<[number, number]> {
  const path = join(directory, 'log-pipe');
  await promisify(execFile)('mkfifo', [path]);
  const reader = openSync(path, 'r+');
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  assert.throws(
    () => {
      for (;;) writeSync(filler, '\n');
    },
    { code: 'EAGAIN' },
  );
  closeSync(filler);
  return [reader, openSync(path, 'w')];
}

describe('a server whose words are lost', () => {
  test('serves on with a log on a full disk', () =>
    withPumice(async (bench) => {
      const full = openSync('/dev/full', 'w');
      const pumice = bench.runOn(['ignore', 'pipe', full], {}, ...arguments_(bench), '--set', 'log.level=debug');
      closeSync(full);
      const address = await pumice.address();
      await isMade(address, await makeVolume(address));
      pumice.signal('SIGTERM');
      assert.equal((await pumice.ended()).code, 0);
    }));

  test('serves on when whoever read its output has gone', () =>
    withPumice(async (bench) => {
      const pumice = bench.run('start', '--data', bench.directory, '--port', '0');
      const address = await pumice.address();
      pumice.hangUp();
      await condition('the demonstration is over', PATIENCE_MS, async () => {
        const response = await fetch(`${address}/v3/cafe/volumes`, { headers: HEADERS });
        return response.ok;
      });
      await isMade(address, await makeVolume(address));
      pumice.signal('SIGTERM');
      assert.equal((await pumice.ended()).code, 0);
    }));

  test('tells after a SIGKILL that the last life ended without a word', () =>
    withPumice(async (bench) => {
      const first = serve(bench);
      await first.address();
      first.signal('SIGKILL');
      await first.ended();
      const second = serve(bench);
      await second.address();
      second.signal('SIGTERM');
      const { err } = await second.ended();
      assert.match(err, /the last life ended without a word/);
      assert.doesNotMatch(err, /nobody caught/);
    }));
});
