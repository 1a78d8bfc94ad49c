/**
 * Debian's Glance for the length of a test: a database, a directory of images and a port of its own. It asks a Keystone who
 * asks it, or believes what it is told of that in headers.
 */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';
import { DEADLINE_MS, PythonService } from './python-service.ts';

const run = promisify(execFile);
const CONFIG = 'glance-api.conf';

/** Where it asks who asks it, and as whom. */
export interface Asking {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

export class GlanceProcess extends PythonService {
  readonly url: string;
  readonly #directory: string;

  static async start(keystone?: Asking): Promise<GlanceProcess> {
    const directory = await mkdtemp(join(tmpdir(), `pumice-glance-${process.pid}-`));
    const glance = new GlanceProcess(directory, await freePort());
    await writeFile(join(directory, 'paste.ini'), PASTE);
    await writeFile(glance.#config, glance.#options(keystone));
    await run('glance-manage', ['--config-file', glance.#config, 'db_sync'], { timeout: DEADLINE_MS });
    await glance.begin();
    return glance;
  }

  private constructor(directory: string, port: number) {
    const url = `http://127.0.0.1:${port}`;
    super({
      argv: ['/usr/bin/glance-api', '--config-file', join(directory, CONFIG)],
      url,
      isUp: ({ status }) => status === 300,
      log: () => logIn(directory),
    });
    this.url = url;
    this.#directory = directory;
  }

  get #config(): string {
    return join(this.#directory, CONFIG);
  }

  #options(keystone: Asking | undefined): string {
    const at = (name: string): string => join(this.#directory, name);
    const asking =
      keystone &&
      `[keystone_authtoken]
auth_type = password
auth_url = ${keystone.url}
www_authenticate_uri = ${keystone.url}
username = ${keystone.username}
password = ${keystone.password}
user_domain_name = Default
project_name = service
project_domain_name = Default
interface = public
`;
    return `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${new URL(this.url).port}
workers = 0
log_file = ${at('log')}
[database]
connection = sqlite:///${at('glance.sqlite')}
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = ${at('images')}
[oslo_policy]
policy_dirs = ${at('policy.d')}
[paste_deploy]
config_file = ${at('paste.ini')}
flavor = ${keystone === undefined ? 'headers' : 'tokens'}
${asking ?? ''}`;
  }

  /** As another Glance of the same site would, while this one is dead. */
  deleteWhileDown(id: string): void {
    const database = new DatabaseSync(join(this.#directory, 'glance.sqlite'));
    database.prepare(`UPDATE images SET deleted = 1, status = 'deleted' WHERE id = ?`).run(id);
    database.close();
    rmSync(this.file(id));
  }

  /** Where it keeps the data of an image. */
  file(id: string): string {
    return join(this.#directory, 'images', id);
  }

  log(): Promise<string> {
    return logIn(this.#directory);
  }

  async remove(): Promise<void> {
    await this.end();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const logIn = (directory: string): Promise<string> => readFile(join(directory, 'log'), 'utf8').catch(() => '');

const PASTE = `[pipeline:glance-api-headers]
pipeline = versionnegotiation context rootapp
[pipeline:glance-api-tokens]
pipeline = versionnegotiation authtoken context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
`;
