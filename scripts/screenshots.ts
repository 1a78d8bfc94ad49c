/**
 * Takes the pictures of the page that the README and docs/page.md show, of a service with something to see: what `npm start` has made, a
 * copy under way that takes its time, and a volume that no backend would have.
 *
 *     node scripts/screenshots.ts [DIRECTORY]
 *
 * Run by hand when the page looks otherwise. Chromium and its fonts are needed (`apt-get install chromium fonts-dejavu-core`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium, type Page } from 'playwright-core';

const ROOT = join(import.meta.dirname, '..');
const SIZE = { width: 1280, height: 800 };
/** Bytes a second. */
const SLOWLY = 20_000;
const HEADERS = { 'x-auth-token': 'demo:cafe', 'content-type': 'application/json' };

interface Running {
  readonly address: string;
  end(): Promise<void>;
}

async function start(data: string, ...more: readonly string[]): Promise<Running> {
  const args = ['start', '--data', data, '--port', '0', ...more];
  const child: ChildProcess = spawn(join(ROOT, 'bin/pumice'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  let address = '';
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    address = /serves on (http:\S+)/.exec(line)?.[1] ?? address;
    if (line.includes('What to type next')) break;
  }
  child.stdout?.resume();
  return {
    address,
    async end() {
      child.kill();
      await ended;
    },
  };
}

async function ask(address: string, path: string, body: object): Promise<void> {
  const answer = await fetch(`${address}/v3/cafe${path}`, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

async function makeSomethingToSee(address: string, data: string): Promise<void> {
  const [image = ''] = readdirSync(join(data, 'images')).filter((name) => name.endsWith('.json'));
  await ask(address, '/types', { volume_type: { name: 'fast', extra_specs: { volume_backend_name: 'flash' } } });
  await ask(address, '/volumes', { volume: { name: 'ledger', size: 2, volume_type: 'fast' } });
  await ask(address, '/volumes', { volume: { name: 'web-3', size: 1, imageRef: image.replace('.json', '') } });
}

async function take(page: Page, directory: string, name: string): Promise<void> {
  await page.screenshot({ path: join(directory, `${name}.png`) });
}

async function takeTimeLine(page: Page, directory: string): Promise<void> {
  await page.getByRole('link', { name: 'Volumes', exact: true }).click();
  await page.getByRole('link', { name: 'rescheduled' }).click();
  await page.locator('.lines .failed').waitFor();
  await take(page, directory, 'time-line');
}

export async function screenshots(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const data = mkdtempSync(join(tmpdir(), 'pumice-screenshots-'));
  const first = await start(data);
  await first.end();
  const service = await start(data, '--no-demo', '--set', `volume_copy_bps_limit=${SLOWLY}`);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium' });
  try {
    await makeSomethingToSee(service.address, data);
    for (const scheme of ['light', 'dark'] as const) {
      const context = await browser.newContext({ viewport: SIZE, colorScheme: scheme, reducedMotion: 'reduce' });
      const page = await context.newPage();
      await page.goto(service.address);
      await page.getByLabel('Project').fill('cafe');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Pools' }).waitFor();
      await page.getByText('Failed lately').waitFor();
      await page.locator('.messages li').first().waitFor();
      await page.locator('progress').first().waitFor();
      await page.mouse.move(0, 0);
      await take(page, directory, `overview-${scheme}`);
      if (scheme === 'light') await takeTimeLine(page, directory);
      await context.close();
    }
  } finally {
    await browser.close();
    await service.end();
    rmSync(data, { recursive: true, force: true });
  }
}

if (import.meta.main) await screenshots(process.argv[2] ?? join(ROOT, 'docs', 'screenshots'));
