/** Debian's Keystone for the length of a test: a database, keys and a port of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PASSWORD = 'secret of the admin';
const DEADLINE_MS = 60_000;

export class KeystoneProcess {
  readonly url: string;
  readonly #directory: string;
  #process: ChildProcess | undefined;

  static async start(): Promise<KeystoneProcess> {
    const directory = await mkdtemp(join(tmpdir(), `pumice-keystone-${process.pid}-`));
    const keystone = new KeystoneProcess(directory, await freePort());
    const keys = ['fernet_tokens', 'fernet_receipts', 'credential'].map(
      (name) => `[${name}]\nkey_repository = ${join(directory, name)}\n`,
    );
    const database = `[database]\nconnection = sqlite:///${join(directory, 'keystone.sqlite')}\n`;
    await writeFile(keystone.#config, `${database}${keys.join('')}[cache]\nenabled = false\n`);
    const own = ['--keystone-user', 'root', '--keystone-group', 'root'];
    await keystone.#manage('db_sync');
    // Keystone reads with one connection while it commits with another, which SQLite's older way refuses.
    const file = new DatabaseSync(join(directory, 'keystone.sqlite'));
    file.exec('PRAGMA journal_mode = WAL');
    file.close();
    await keystone.#manage('fernet_setup', ...own);
    await keystone.#manage('credential_setup', ...own);
    await keystone.#manage('bootstrap', '--bootstrap-password', PASSWORD, '--bootstrap-public-url', keystone.url);
    await keystone.begin();
    return keystone;
  }

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.url = `http://127.0.0.1:${port}/v3`;
  }

  get #config(): string {
    return join(this.#directory, 'keystone.conf');
  }

  /** What `openstack` needs to be somebody; the administrator without a name. */
  env(user = 'admin', password = PASSWORD, project = 'admin'): Readonly<Record<string, string>> {
    return {
      OS_AUTH_URL: this.url,
      OS_IDENTITY_API_VERSION: '3',
      OS_USERNAME: user,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: project,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
    };
  }

  async begin(): Promise<void> {
    const { port } = new URL(this.url);
    const args = ['/usr/bin/keystone-wsgi-public', '--host', '127.0.0.1', '--port', port];
    this.#process = spawn('/usr/bin/python3', args, {
      stdio: 'ignore',
      env: { ...process.env, OS_KEYSTONE_CONFIG_FILES: this.#config },
    });
    const deadline = performance.now() + DEADLINE_MS;
    while (
      !(await fetch(this.url)
        .then(({ ok }) => ok)
        .catch(() => false))
    ) {
      assert.ok(performance.now() < deadline, 'Keystone never answered.');
      await pause(100);
    }
  }

  async end(): Promise<void> {
    if (this.#process === undefined) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
    this.#process = undefined;
  }

  async remove(): Promise<void> {
    await this.end();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #manage(...args: readonly string[]): Promise<void> {
    await run('keystone-manage', ['--config-file', this.#config, ...args], { timeout: DEADLINE_MS });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}
