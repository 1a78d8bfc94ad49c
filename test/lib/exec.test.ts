/** Whatever a program does, a call ends with what it printed or with one of our errors, and keeps no more than it may. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { CommandFailed, CommandMissing, type ExecOptions, exec } from '../../src/lib/exec.ts';
import { condition } from '../crash/condition.ts';
import { inTime } from '../in-time.ts';
import { escaped } from '../uncaught.ts';

const NEVER = new AbortController().signal;
const sh = (script: string, options: Partial<ExecOptions> = {}): Promise<string> =>
  inTime('the program', exec(['sh', '-c', script], { signal: NEVER, ...options }));

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-exec-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Ends what a test left behind on purpose, by the id it wrote down. */
async function endLeft(file: string): Promise<void> {
  await condition(
    'it has written its id',
    10_000,
    async () => (await readFile(file, 'utf8').catch(() => '')).trim() !== '',
  );
  process.kill(Number(await readFile(file, 'utf8')), 'SIGKILL');
}

describe('a program', () => {
  test('whose memory is limited does not reserve it for each of its threads', async () => {
    const ask = 'ulimit -v; echo "$MALLOC_ARENA_MAX"';
    assert.equal(await sh(ask, { memoryBytes: 1024 ** 3 }), `${1024 ** 2}\n1\n`);
  });

  test('whose memory is not limited has the memory of its surroundings', async () => {
    assert.equal(await sh('echo "$MALLOC_ARENA_MAX"'), `${process.env.MALLOC_ARENA_MAX ?? ''}\n`);
  });

  test('that dies with this process is told so by the kernel, beside whatever limits it has', async () => {
    const told = await exec(['setpriv', '--dump'], { signal: NEVER, diesWithUs: true, memoryBytes: 1024 ** 3 });
    assert.match(told, /Parent death signal: KILL/);
    assert.doesNotMatch(await exec(['setpriv', '--dump'], { signal: NEVER }), /KILL/);
  });

  test('gets what it is given on its standard input and in its environment, and nothing else', async () => {
    const input = 'secret ä\n'.repeat(100_000);
    assert.equal(await sh('cat; echo "$COLOUR"', { input, environment: { COLOUR: 'red' } }), `${input}red\n`);
    assert.equal(await sh('cat; echo "$COLOUR"', { input: '' }), '\n');
    assert.equal(await sh('readlink /proc/self/fd/0'), '/dev/null\n');
  });

  test('that does not read what it is given ends as it likes', async () => {
    const input = 'x'.repeat(4 * 1024 ** 2);
    const errors = await escaped(async () => {
      assert.equal(await sh('exec 0<&-; echo done', { input }), 'done\n');
      await assert.rejects(sh('exit 3', { input }), CommandFailed);
      await assert.rejects(inTime('none', exec(['/nowhere/at-all'], { signal: NEVER, input })), CommandMissing);
    });
    assert.deepEqual(errors, []);
  });

  test('that prints nonsense and ends as it likes gives its output or CommandFailed, and nothing else', () =>
    withDirectory(async (directory) => {
      const [out, err] = [join(directory, 'out'), join(directory, 'err')];
      const ending = fc.oneof(
        fc.nat(255).map((code) => `exit ${code}`),
        fc.constantFrom('KILL', 'TERM', 'SEGV').map((name) => `kill -${name} $$`),
      );
      const noise = fc.uint8Array({ maxLength: 2_000 });
      await fc.assert(
        fc.asyncProperty(noise, noise, ending, async (stdout, stderr, end) => {
          await Promise.all([writeFile(out, stdout), writeFile(err, stderr)]);
          const errors = await escaped(async () => {
            await sh(`cat ${out}; cat ${err} >&2; ${end}`).then(
              (text) => {
                assert.equal(end, 'exit 0');
                assert.equal(text, Buffer.from(stdout).toString('utf8'));
              },
              (error: unknown) => assert.ok(error instanceof CommandFailed, String(error)),
            );
          });
          assert.deepEqual(errors, []);
        }),
        { numRuns: 40 },
      );
    }));

  test('that floods is ended at 4 MiB of what it prints, and of its complaints a message is kept', async () => {
    assert.equal((await sh('yes | head -c 4000000')).length, 4_000_000);
    await assert.rejects(sh('yes'), { name: 'CommandFailed', message: /printed more than 4194304 characters/ });
    await assert.rejects(sh('echo first >&2; yes | head -c 30000000 >&2; echo last >&2; exit 3'), (error: unknown) => {
      assert.ok(error instanceof CommandFailed);
      assert.match(error.stderr, /^first\n/);
      assert.ok(error.stderr.length < 20_000 && error.message.length < 20_000);
      return true;
    });
  });

  test('that never ends is killed at its deadline, and when it is told', async () => {
    await assert.rejects(sh('while :; do sleep 60; done', { timeoutMs: 50 }), {
      name: 'CommandFailed',
      timedOut: true,
    });
    const stop = new AbortController();
    const running = sh('while :; do sleep 60; done', { signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(running, /enough/);
  });

  test('that leaves one behind with its output has ended when it ends itself', () =>
    withDirectory(async (directory) => {
      const left = join(directory, 'left');
      const leave = `setsid sh -c 'echo $$ > ${left}; exec sleep 1000' & echo done`;
      assert.equal(await sh(leave), 'done\n');
      await endLeft(left);
      await rm(left);
      await assert.rejects(sh(`${leave}; sleep 1000`, { timeoutMs: 500 }), { timedOut: true });
      await endLeft(left);
    }));

  test('whose output cannot be taken is ended, and the call says why', async () => {
    const onOutput = (): never => {
      throw new RangeError('no number');
    };
    assert.deepEqual(
      await escaped(async () => {
        await assert.rejects(sh('echo x; sleep 1000', { onOutput }), /no number/);
      }),
      [],
    );
  });

  test('is told bit by bit, and may end before it has read all', async () => {
    const input = new PassThrough();
    const heard: string[] = [];
    const repeats = sh('while read -r line; do echo "$line"; done', {
      input,
      onOutput: (text) => {
        heard.push(text);
        if (heard.length === 1) input.write('two\n');
        else input.end();
      },
    });
    input.write('one\n');
    await repeats;
    assert.deepEqual(heard, ['one\n', 'two\n']);
    const unread = Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(65_536)));
    const escapes = await escaped(async () => void (await sh('exit 0', { input: unread })));
    assert.deepEqual(escapes, []);
  });

  test('that is not there, or is none, fails the call alone', async () => {
    await assert.rejects(exec(['no-such-program'], { signal: NEVER }), CommandMissing);
    await assert.rejects(exec(['/'], { signal: NEVER }), { code: 'EACCES' });
    await assert.rejects(exec(['echo', 'a\0b'], { signal: NEVER }), { code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('that cannot be started for want of files fails the call alone, and the process lives', () =>
    withDirectory(async (directory) => {
      const script = join(directory, 'starved.ts');
      await writeFile(
        script,
        `import { closeSync, openSync } from 'node:fs';
         import { exec } from ${JSON.stringify(join(import.meta.dirname, '../../src/lib/exec.ts'))};
         const signal = new AbortController().signal;
         await exec(['true'], { signal });
         const held: number[] = [];
         try { for (;;) held.push(openSync('/dev/null')); } catch {}
         const told = await exec(['true'], { signal }).then(() => 'done', ({ code }) => code);
         for (const fd of held) closeSync(fd);
         await exec(['true'], { signal });
         console.log(told);`,
      );
      const { stdout } = await promisify(execFile)('prlimit', ['--nofile=64', process.execPath, script]);
      assert.equal(stdout, 'EMFILE\n');
    }));
});
