/** Debian's Keystone for the length of a test: a database, keys and a port of its own. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';
import { DEADLINE_MS, PythonService } from './python-service.ts';

const run = promisify(execFile);
const PASSWORD = 'secret of the admin';
const CONFIG = 'keystone.conf';

export class KeystoneProcess extends PythonService {
  readonly url: string;
  readonly #directory: string;

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
    const url = `http://127.0.0.1:${port}/v3`;
    super({
      argv: ['/usr/bin/keystone-wsgi-public', '--host', '127.0.0.1', '--port', String(port)],
      env: { OS_KEYSTONE_CONFIG_FILES: join(directory, CONFIG) },
      url,
      isUp: ({ ok }) => ok,
    });
    this.url = url;
    this.#directory = directory;
  }

  get #config(): string {
    return join(this.#directory, CONFIG);
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

  async remove(): Promise<void> {
    await this.end();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #manage(...args: readonly string[]): Promise<void> {
    await run('keystone-manage', ['--config-file', this.#config, ...args], { timeout: DEADLINE_MS });
  }
}
