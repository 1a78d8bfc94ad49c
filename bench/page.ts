/**
 * The first view of the page in a real browser: from the address to what runs, what failed and the quota, read and drawn, over 100,000 volumes
 * and 1,000,000 flows that have ended, beside a site with nothing. Each visit is of a browser that knows nothing of the page.
 */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { fill } from './fill.ts';
import { type Server, startServer } from './processes.ts';
import { median, quantity, type Result, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { PROJECT, USER } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const PROGRAM = '/usr/bin/chromium';
const VOLUMES = 100_000;
const FLOWS = 1_000_000;
const VISITS = 10;

export async function page(world: World): Promise<Result[]> {
  const [volumes, flows] = [VOLUMES, FLOWS].map((count) => Math.ceil(count / world.haste));
  const figure = `first view of the page, ${volumes?.toLocaleString('en')} volumes and ${flows?.toLocaleString('en')} ended flows, ${DIALECTS.sqlite}`;
  if (!existsSync(PROGRAM)) return [{ figure, skipped: `there is no ${PROGRAM}: apt-get install chromium` }];
  world.tell('filling a database');
  await using large = await site(world, { volumes: volumes ?? 0, flows: flows ?? 0 });
  await using empty = await site(world, { volumes: 0, flows: 0 });
  const browser = await chromium.launch({ executablePath: PROGRAM });
  try {
    const visits = (server: Server) => () => shownMs(browser, server, Math.ceil(VISITS / world.haste));
    await visits(large.server)();
    await visits(empty.server)();
    const found = await rounds(world.rounds, { large: visits(large.server), empty: visits(empty.server) }, world.tell);
    return [
      {
        figure,
        measured: quantity(found.large, 'ms'),
        beside: { what: 'a site with nothing', quantity: quantity(found.empty, 'ms') },
        ratio: ratios(found.large, found.empty),
        wanted: { of: 'ratio', atMost: 1.3 },
      },
    ];
  } finally {
    await browser.close();
  }
}

async function site(
  world: World,
  amounts: { readonly volumes: number; readonly flows: number },
): Promise<AsyncDisposable & { readonly server: Server }> {
  const database = await newDatabase(world, 'sqlite');
  await fill(database, amounts);
  const server = await startServer('service.ts', [database, newDirectory(world)]);
  return {
    server,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await dropDatabase(world, database);
    },
  };
}

/** The median of some visits, ms. */
async function shownMs(browser: Browser, { address }: Server, visits: number): Promise<number> {
  const times: number[] = [];
  for (let visit = 0; visit < visits; visit += 1) {
    const context = await browser.newContext();
    const name = `pumice_${new URL(address).port}`;
    await context.addCookies([{ name, value: encodeURIComponent(`${USER}:${PROJECT}`), url: address }]);
    const view = await context.newPage();
    const begun = performance.now();
    await view.goto(`${address}/`);
    await Promise.all(
      [/^Nothing runs now/, /^Volumes: /, /^(Nothing|None)\.$/].map((text) => view.getByText(text).first().waitFor()),
    );
    times.push(performance.now() - begun);
    await context.close();
  }
  return median(times);
}
