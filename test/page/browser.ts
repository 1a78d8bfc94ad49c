/**
 * The page in a real browser: Debian's Chromium, headless, driven by playwright-core, which fetches none of its own.
 *
 * One browser is shared by all files, since a launch takes a second; each visit has a context of its own, with cookies of its
 * own. A visit fails its test when the browser has complained of anything: a script that failed, something that the content
 * security policy stopped, an answer that was an error and that the test does not name.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, describe, type TestContext } from 'node:test';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { World } from '../api/world.ts';

const PROGRAM = '/usr/bin/chromium';
const PATIENCE_MS = 60_000;

/** This machine, under a name: to a browser that is another thing than 127.0.0.1, and less to be trusted. */
export const NAMED_HOST = 'pumice.test';

let users = 0;
let launched: Promise<Browser> | undefined;

/** A `describe` whose tests use the browser; skipped, with the reason, where there is none. */
export function describeInBrowser(name: string, body: () => void): void {
  const missing = !existsSync(PROGRAM) && `there is no ${PROGRAM}: apt-get install chromium fonts-dejavu-core`;
  users += 1;
  describe(name, { skip: missing }, () => {
    body();
    after(async () => {
      users -= 1;
      if (users > 0) return;
      await (await launched)?.close();
      launched = undefined;
    });
  });
}

const browser = (): Promise<Browser> => {
  launched ??= chromium.launch({
    executablePath: PROGRAM,
    args: [`--host-resolver-rules=MAP ${NAMED_HOST} 127.0.0.1`],
  });
  return launched;
};

export interface Visit {
  readonly page: Page;
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  /** Answers of this status are on purpose: the browser complains of each. */
  expect(status: number): void;
}

export interface VisitOptions {
  readonly width?: number;
  readonly dark?: boolean;
  /** Default: the volumes. */
  readonly at?: string;
}

/** A browser that nobody has used. */
export async function visit(
  t: TestContext,
  { service }: Pick<World, 'service'>,
  options?: VisitOptions,
): Promise<Visit> {
  return visitAt(t, await service.listen(), options);
}

export async function visitAt(
  t: TestContext,
  address: string,
  { width = 1280, dark = false, at = '#/volumes' }: VisitOptions = {},
): Promise<Visit> {
  const context = await (await browser()).newContext({
    viewport: { width, height: 800 },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  const expected = new Set<number>();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    const text = message.text();
    // The service ends before the browser does, which goes on asking it.
    if (/net::ERR_(CONNECTION|SOCKET|EMPTY)_/.test(text)) return;
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(text);
  });
  t.after(async () => {
    await context.close();
    const isExpected = (text: string): boolean => [...expected].some((status) => text.includes(`status of ${status} `));
    assert.deepEqual(
      complaints.filter((text) => !isExpected(text)),
      [],
    );
  });
  await page.goto(`${address}/${at}`);
  return { page, address, expect: (status) => void expected.add(status) };
}

/** What axe finds wrong with what is shown now, one line each. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations: found } = await page.evaluate<axe.AxeResults>(
    'axe.run(document, { resultTypes: ["violations"] })',
  );
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Whether what is shown is wider than the window, so that all of it moves sideways. */
export const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');

/** By the form of `noauth`. */
export async function signIn(page: Page, project: string): Promise<void> {
  await page.getByLabel('Project').fill(project);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}
