/**
 * A whole service for clients that run in processes of their own: on a free port, with two backends of files and a directory
 * of images. It ends, and its files are removed, when the test does.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { wire } from '../../src/wiring.ts';

export interface LiveService {
  /** `http://127.0.0.1:PORT/v3` */
  readonly endpoint: string;
  readonly images: string;
  /** The directory of a backend. */
  backend(name: 'fast' | 'large'): string;
  /** An answer's body as an administrator of `project` sees it; the status when it is none of 2xx. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  get(path: string, project?: string): Promise<any>;
  /** Waits until the volume has come to rest as `status`, and returns it. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  volume(id: string, status?: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  snapshot(id: string, status?: string): Promise<any>;
  gone(path: string): Promise<void>;
}

const DEADLINE_MS = 60_000;

/** `set` holds further options, as `section.key=value`. */
export async function liveService(context: TestContext, set: readonly string[] = []): Promise<LiveService> {
  const directory = await mkdtemp(join(tmpdir(), `pumice-compat-${process.pid}-`));
  const at = (name: string): string => join(directory, name);
  const config = parseConfig({
    directory,
    toml: `
      data_directory = "${directory}"
      node_name = "node"
      [api]
      port = 0
      [services]
      report_interval = 1
      backend_stats_polling_interval = 1
      ${['fast', 'large'].map((name) => `[backends.${name}]\ndriver = "file"\ncreate = true\npath = "${at(name)}"`).join('\n')}
    `,
    set,
  });
  const service = await wire(config, silentLog);
  context.after(async () => {
    await service.stop();
    await rm(directory, { recursive: true, force: true });
  });
  await service.start();
  const endpoint = `${await service.listen()}/v3`;

  const get: LiveService['get'] = async (path, project = 'demo') => {
    const headers = { 'x-auth-token': `test:${project}`, 'openstack-api-version': 'volume latest' };
    const answer = await fetch(`${endpoint}${path}`, { headers });
    const text = await answer.text();
    return answer.ok ? JSON.parse(text) : answer.status;
  };
  const until = async (path: string, wanted: (answer: unknown) => boolean): Promise<unknown> => {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const answer = await get(path);
      if (wanted(answer)) return answer;
      if (performance.now() > deadline) assert.fail(`${path} never came to be as wanted: ${JSON.stringify(answer)}`);
      await pause(20);
    }
  };
  const resource = async (kind: 'volume' | 'snapshot', id: string, status: string) => {
    const isThere = (answer: unknown) => (answer as { [kind]?: { status: string } })[kind]?.status === status;
    return ((await until(`/${kind}s/${id}`, isThere)) as { [kind]: unknown })[kind];
  };
  return {
    endpoint,
    images: at('images'),
    backend: at,
    get,
    volume: (id, status = 'available') => resource('volume', id, status),
    snapshot: (id, status = 'available') => resource('snapshot', id, status),
    gone: async (path) => {
      await until(path, (answer) => answer === 404);
    },
  };
}
