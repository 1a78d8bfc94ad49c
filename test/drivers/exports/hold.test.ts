/** Who serves a backend keeps others off it, and a process that is frozen still does. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm } from '../driver-world.ts';

const { signal } = calm();

async function freshDirectory(t: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'pumice-hold-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  return join(parent, 'backend');
}

async function started(t: TestContext, directory: string): Promise<FileDriver> {
  const driver = new FileDriver({ name: 'file', directory, exec, create: true });
  await driver.start(signal);
  t.after(() => driver.release());
  return driver;
}

/** A process that says whether it holds the backend, and lives until it is killed. */
async function holder(t: TestContext, directory: string) {
  const program = join(import.meta.dirname, 'hold-process.ts');
  const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  t.after(kill);
  const [line] = await once(createInterface(child.stdout), 'line');
  return { line: line as string, freeze: () => child.kill('SIGSTOP'), kill };
}

describe('a backend that is served', () => {
  it('is held by one driver at a time', async (t) => {
    const directory = await freshDirectory(t);
    const [one, two] = [await started(t, directory), await started(t, directory)];
    assert.equal(await one.hold(signal), true);
    assert.equal(await one.hold(signal), true);
    assert.equal(await two.hold(signal), false);
    one.release();
    assert.equal(await two.hold(signal), true);
  });

  it('is held by a process until it is dead, frozen or not', async (t) => {
    const directory = await freshDirectory(t);
    const driver = await started(t, directory);
    const other = await holder(t, directory);
    assert.equal(other.line, 'true');
    assert.equal(await driver.hold(signal), false);
    other.freeze();
    assert.equal(await driver.hold(signal), false);
    await other.kill();
    assert.equal(await driver.hold(signal), true);
    assert.equal((await holder(t, directory)).line, 'false');
  });

  it('is held where it is: another directory under the same path is held anew', async (t) => {
    const directory = await freshDirectory(t);
    const driver = await started(t, directory);
    await driver.hold(signal);
    await rename(directory, `${directory}-away`);
    const other = await started(t, directory);
    assert.equal(await other.hold(signal), true);
    other.release();
    await rm(directory, { recursive: true });
    await rename(`${directory}-away`, directory);
    assert.equal(await driver.hold(signal), true);
    assert.equal(await other.hold(signal).catch(() => 'another directory'), 'another directory');
  });
});
