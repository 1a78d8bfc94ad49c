/** A service that is killed while somebody looks: the page says so, and is there again by itself, signed in as before. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { withPumice } from '../cli/pumice-process.ts';
import { freePort } from '../free-port.ts';
import { describeInBrowser, NAMED_HOST, signIn, visitAt } from './browser.ts';

const NGINX = '/usr/sbin/nginx';

/** In front of a port, as docs/operations.md says it. Resolves with its own. */
async function nginx(t: TestContext, directory: string, to: number): Promise<number> {
  await mkdir(directory);
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const text = `daemon off; user root; pid ${directory}/pid; error_log ${directory}/error.log;
    events {}
    http {
      access_log off;
      ${temporary.map((kind) => `${kind}_temp_path ${directory}/${kind};`).join(' ')}
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${to};
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $host;
        }
      }
    }`;
  await writeFile(join(directory, 'nginx.conf'), text);
  const child = spawn(NGINX, ['-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
  const ended = once(child, 'close');
  t.after(async () => {
    child.kill();
    await ended;
  });
  return port;
}

describeInBrowser('the connection', () => {
  for (const way of ['direct', 'through nginx and under a name'] as const) {
    it(`that is lost, ${way}, is told of, and comes back by itself when the service is back`, async (t) => {
      const isDirect = way === 'direct';
      if (!isDirect && !existsSync(NGINX)) return t.skip(`there is no ${NGINX}: apt-get install nginx`);
      await withPumice(async ({ directory, run }) => {
        const port = await freePort();
        const open = isDirect ? port : await nginx(t, join(directory, 'nginx'), port);
        const address = isDirect ? `http://127.0.0.1:${port}` : `http://${NAMED_HOST}:${open}`;
        const serve = () =>
          run(
            ...['serve', '--data', join(directory, 'data'), '--set', `api.port=${port}`],
            ...(isDirect ? [] : ['--set', `api.public_endpoint=${address}`]),
          );
        const first = serve();
        await first.address();
        const { page, expect } = await visitAt(t, address);
        await signIn(page, 'cafe');
        const create = async (name: string): Promise<void> => {
          await page.getByRole('navigation').getByRole('link', { name: 'Volumes' }).click();
          await page.getByRole('button', { name: 'Create volume' }).click();
          await page.getByLabel('Name', { exact: true }).fill(name);
          await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
          await page.getByRole('heading', { name }).waitFor();
        };
        await create('before');
        expect(502);
        first.signal('SIGKILL');
        await first.ended();
        await page.getByText('No connection to the service since').waitFor();
        await page.getByRole('heading', { name: 'before' }).waitFor();
        const second = serve();
        await second.address();
        await page.getByText('No connection to the service since').waitFor({ state: 'detached' });
        await page.locator('.title .status', { hasText: 'available' }).waitFor();
        await create('after');
      });
    });
  }
});
