/** A real Prometheus (Debian's package) that scrapes two processes on one PostgreSQL, with our rules. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freshWorld, until, type World } from '../api/world.ts';
import { condition } from '../crash/condition.ts';
import { freshPostgresql } from '../databases.ts';
import { freePort } from '../free-port.ts';
import { scratchDirectory } from '../scratch.ts';

const PATIENCE_MS = 60_000;
const TOKEN = 'a.secret';

const skip =
  spawnSync('prometheus', ['--version']).error === undefined
    ? false
    : 'prometheus is not installed (apt-get install prometheus)';

async function created(world: World): Promise<void> {
  const { body } = await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
  await until(
    () => world.ask('GET', `/volumes/${body.volume.id}`),
    (answer) => answer.body.volume.status === 'available',
  );
}

class Prometheus {
  readonly #process: ChildProcess;
  readonly #address: string;
  #said = '';

  private constructor(directory: string, port: number) {
    this.#address = `http://127.0.0.1:${port}`;
    const options = [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    this.#process = spawn('prometheus', options, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-4_000);
    });
  }

  /** Ends with the test. JSON is YAML. */
  static async start(context: TestContext, targets: readonly string[]): Promise<Prometheus> {
    const directory = mkdtempSync(join(scratchDirectory(), `pumice-test-${process.pid}-`));
    writeFileSync(join(directory, 'token'), TOKEN);
    const job = (name: string, path: string) => ({
      job_name: name,
      metrics_path: path,
      authorization: { credentials_file: join(directory, 'token') },
      static_configs: [{ targets }],
    });
    writeFileSync(
      join(directory, 'prometheus.yml'),
      JSON.stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
        rule_files: [resolve('docs/monitoring/pumice.rules.yml')],
        scrape_configs: [job('pumice', '/metrics'), job('pumice-openstack', '/metrics/openstack')],
      }),
    );
    const made = new Prometheus(directory, await freePort());
    context.after(async () => {
      await made.#end();
      rmSync(directory, { recursive: true });
    });
    return made;
  }

  // biome-ignore lint/suspicious/noExplicitAny: each path has an answer of its own
  async ask(path: string): Promise<any> {
    assert.equal(this.#process.exitCode, null, this.#said);
    const answer = await fetch(`${this.#address}/api/v1/${path}`).catch(() => undefined);
    return answer?.ok ? ((await answer.json()) as { readonly data: unknown }).data : undefined;
  }

  /** The one number that an expression gives; undefined when it gives none. */
  async value(expression: string): Promise<number | undefined> {
    const data = await this.ask(`query?query=${encodeURIComponent(expression)}`);
    const text = data?.result[0]?.value[1];
    return text === undefined ? undefined : Number(text);
  }

  async becomes(expression: string, wanted: number): Promise<void> {
    let last: number | undefined;
    await condition(`${expression} is ${wanted}`, PATIENCE_MS, async () => {
      last = await this.value(expression);
      return last === wanted;
    }).catch((error: unknown) => {
      throw new Error(`It was ${last}.`, { cause: error });
    });
  }

  async #end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}

test('Prometheus scrapes two processes on one PostgreSQL, adds them up rightly, and understands our rules', {
  skip,
}, async (context) => {
  const database = await freshPostgresql();
  if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`);
  const set = ['metrics.enabled=true', 'metrics.port=0', 'api.port=0', `metrics.bearer_token=${TOKEN}`];
  // Who is closed last removes the database.
  const kept = { url: database.url, remove: async () => {} };
  const one = await freshWorld(context, { database, running: true, set });
  const other = await freshWorld(context, { database: kept, running: true, set: [...set, 'node_name=other'] });
  const worlds = [one, other];
  for (const world of worlds) {
    await world.service.listen();
    await created(world);
  }
  const addresses = worlds.map(({ service }) => new URL(service.metrics?.address ?? '').host);
  const prometheus = await Prometheus.start(context, addresses);

  await prometheus.becomes('sum(up)', 4);
  await prometheus.becomes('sum(pumice_pool_volumes)', 2);
  await prometheus.becomes('sum(pumice_tells_of_tables)', 1);
  await prometheus.becomes('count(pumice_build_info)', 2);
  await prometheus.becomes('sum(openstack_cinder_volumes)', 2);
  await condition('every rule is understood', PATIENCE_MS, async () => {
    const [group] = (await prometheus.ask('rules')).groups;
    return group.rules.every(({ health }: { health: string }) => health === 'ok');
  });
  await condition('every target is well', PATIENCE_MS, async () => {
    const { activeTargets } = await prometheus.ask('targets');
    return activeTargets.every(({ lastError }: { lastError: string }) => lastError === '');
  });

  const telling = (index: number) => `sum(pumice_tells_of_tables{instance="${addresses[index]}"})`;
  const leader = (await prometheus.value(telling(0))) === 1 ? 0 : 1;
  // It takes the lease no more: who has let go of it would else be as quick as the other.
  const { ownership } = worlds[leader]?.service.db ?? assert.fail();
  const take = ownership.take.bind(ownership);
  ownership.take = async (name) => name !== 'pumice-events' && (await take(name));
  await ownership.release('pumice-events');
  await prometheus.becomes(telling(1 - leader), 1);
  await prometheus.becomes(telling(leader), 0);
  await prometheus.becomes('sum(pumice_pool_volumes)', 2);
  await prometheus.becomes('count(pumice_pool_volumes)', 2);
});
