/**
 * The first view of the page in a real browser: from the address to what runs, what failed and the quota, read and drawn, over 100,000 volumes
 * and 1,000,000 flows that have ended, beside a site with nothing. Each visit is of a browser that knows nothing of the page. And how long what
 * its views ask holds up all others: each question that the browser was seen to ask is asked again after something has changed.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { fill } from './fill.ts';
import type { Part } from './part.ts';
import { type Server, startServer } from './processes.ts';
import { median, quantity, type Result, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { HEADERS, PROJECT, path, USER } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const PROGRAM = '/usr/bin/chromium';
const VOLUMES = 100_000;
const FLOWS = 1_000_000;
const VISITS = 10;
/** Views with the most to ask: a search that finds little, sorts with an index and without. */
const VIEWS = [
  ...[
    '',
    'volumes',
    'volumes?name=777',
    'volumes?name=volume&sort=name:asc',
    'volumes?sort=size:desc',
    'volumes?status=error',
  ],
  ...['snapshots', 'groups', 'backups', 'attachments', 'types', 'flows', 'flows?state=reverted', 'hosts'],
];
/** A view has asked what it asks when it asks nothing more for so long. */
const CALM_MS = 400;
const TIMES_ASKED = 5;

export const page: Part = {
  limit: 'What a browser takes to draw a site with nothing; the questions of the page have no limit but their rows.',
  measure: measurePage,
};

async function measurePage(world: World): Promise<Result[]> {
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
      await longestStop(browser, large.server, figure),
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
    const context = await signedIn(browser, address);
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

async function signedIn(browser: Browser, address: string): Promise<BrowserContext> {
  const context = await browser.newContext();
  const name = `pumice_${new URL(address).port}`;
  await context.addCookies([{ name, value: encodeURIComponent(`${USER}:${PROJECT}`), url: address }]);
  return context;
}

/** Of the question that holds the event loop longest: the median of the CPU that it takes in one turn. */
async function longestStop(browser: Browser, server: Server, where: string): Promise<Result> {
  const asked = await questions(browser, server);
  const [changed] = (await json(server, path('/volumes?limit=1'))).volumes as { readonly id: string }[];
  let longest: { readonly question: string; readonly stops: readonly number[] } = { question: '', stops: [0] };
  for (const question of asked) {
    const stops: number[] = [];
    for (let n = 0; n < TIMES_ASKED; n += 1) {
      // Else it would be answered from memory.
      const body = JSON.stringify({ volume: { description: `${question} ${n}`.slice(0, 200) } });
      const headers = { ...HEADERS, 'content-type': 'application/json' };
      const { status } = await fetch(`${server.address}${path(`/volumes/${changed?.id}`)}`, {
        method: 'PUT',
        headers,
        body,
      });
      if (status !== 200) throw new Error(`A change was answered with ${status}.`);
      await delay(50);
      await server.watched();
      await json(server, question);
      stops.push((await server.usage()).stop.cpuMs);
    }
    if (median(stops) > median(longest.stops)) longest = { question, stops };
  }
  return {
    figure: `longest stop of the event loop by one of ${asked.length} questions of the page (${longest.question.replaceAll(PROJECT, 'P')}), ${where.split(', ').slice(1).join(', ')}`,
    measured: quantity(longest.stops, 'ms'),
    wanted: { of: 'measured', atMost: 10 },
  };
}

/** What all views ask the API, without the stream. */
async function questions(browser: Browser, { address }: Server): Promise<readonly string[]> {
  const context = await signedIn(browser, address);
  const view = await context.newPage();
  const asked = new Set<string>();
  let askedAt = 0;
  view.on('request', (request) => {
    const question = request.url().slice(address.length);
    if (request.method() !== 'GET' || !/^\/(v3|pumice)\//.test(question) || question.includes('/events')) return;
    asked.add(question);
    askedAt = performance.now();
  });
  for (const each of VIEWS) {
    askedAt = performance.now();
    await view.goto(`${address}/#/${each}`);
    while (performance.now() - askedAt < CALM_MS) await delay(20);
  }
  await context.close();
  return [...asked];
}

async function json({ address }: Server, question: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${address}${question}`, { headers: HEADERS });
  if (!answer.ok) throw new Error(`${question} was answered with ${answer.status}.`);
  return (await answer.json()) as Record<string, unknown>;
}
