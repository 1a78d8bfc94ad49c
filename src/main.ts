/**
 * The entry point of the process: arguments in, an exit code out, and a graceful shutdown on a signal.
 *
 * The first SIGINT or SIGTERM asks everything to end in order. Those that come right after it mean nothing more:
 * npm passes on the one that the terminal has already sent. One that comes later ends the process at once, which costs
 * nothing but the wait: what is unfinished goes on when it starts again.
 */
import { readFileSync } from 'node:fs';
import { enableCompileCache, findPackageJSON, flushCompileCache } from 'node:module';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { CliContext, Running } from './cli/context.ts';
import { Complaint, EXIT } from './cli/exit-codes.ts';
import { explain } from './cli/explain.ts';
import { LastGuard, leave } from './cli/last-guard.ts';
import { standardOutput } from './cli/standard-output.ts';
import { Terminal } from './cli/terminal.ts';
import { lifeRecordOf } from './doctor/life-record.ts';
import { pause } from './lib/clock.ts';
import { importQuickly } from './lib/quick-imports.ts';
import { nameSources } from './lib/source-stacks.ts';

/** A signal within this time of the first is the same wish. */
const SAME_WISH_MS = 2_000;
/** This long after its start a service gives back the memory that starting took: 20 MB, which V8 would keep. */
const SETTLED_MS = 1_000;
/** How long an orderly end may take. */
const END_MS = 10_000;
/** How long what is still open may keep the process when it has nothing more to do. */
const GRACE_MS = 1_000;

/**
 * Old objects are looked through when they have grown by so much since the last time: V8 by itself lets them grow to several times as much. A service
 * that had made 3,600 volumes and told a list of 1,000 of them 800 times held 120 to 130 MB so, else 174 to 179, at the same CPU. A Node whose V8 knows no such
 * flag says so on standard error and goes on.
 */
const OLD_GROWS_BY_PERCENT = 40;

const description = findPackageJSON('.', import.meta.url) as string;
const root = dirname(description);
// What is imported from here on has its types stripped and is compiled once, not at every start.
enableCompileCache(join(root, 'node_modules', '.cache', 'pumice'));
importQuickly();
nameSources();

class Stopped extends Error {
  override readonly name = 'Interrupted';
}

const asked = new AbortController();
const out = new Terminal(standardOutput);
const err = new Terminal(process.stderr);
let serving = false;

async function main(): Promise<number> {
  try {
    const { run } = await import('./cli/program.ts');
    return await run(process.argv.slice(2), contextOfProcess());
  } catch (error) {
    return explain(error, { err, interrupted: asked.signal });
  }
}

function listenToSignals(): void {
  let askedAt: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      askedAt ??= performance.now();
      if (performance.now() - askedAt > SAME_WISH_MS) leave(EXIT.interrupted);
      asked.abort(new Stopped(`${name} came.`));
    });
  }
}

function contextOfProcess(): CliContext {
  return {
    version: version(),
    out,
    err,
    // To look at standard input is to open it, which a service does not need.
    get keyboard() {
      return process.stdin.isTTY ? process.stdin : undefined;
    },
    signal: asked.signal,
    serve,
    driverOf: async (section, config) => (await import('./drivers/driver-of.ts')).driverOf(section, config),
  };
}

const serve: CliContext['serve'] = async (config, log, listen) => {
  const { wire } = await import('./wiring.ts');
  const lost = new AbortController();
  const guard = new LastGuard({ log, record: lifeRecordOf(config), tell: (line) => err.line(line) });
  serving = true;
  const service = await wire(config, log, {
    version: version(),
    ...(listen && { listen }),
    environment: process.env,
    lost: () =>
      lost.abort(new Complaint('Another process may own now what this one did; start it again.', EXIT.databaseLost)),
  });
  guard.begin(service.engine.process, () => ({ flows: service.flows.list(), requests: service.requests.list() }));
  try {
    await service.start();
    const address = await service.listen();
    flushCompileCache();
    setFlagsFromString(`--heap-growing-percent=${OLD_GROWS_BY_PERCENT}`);
    setTimeout(() => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }), SETTLED_MS).unref();
    return {
      address,
      desk: service.desk,
      ended: async () => {
        await aborted(AbortSignal.any([asked.signal, lost.signal]));
        await inTime(service.stop(), lost.signal.aborted ? EXIT.databaseLost : EXIT.failed);
        guard.ended();
        if (lost.signal.aborted) throw lost.signal.reason;
      },
    } satisfies Running;
  } catch (error) {
    await inTime(service.stop());
    guard.ended();
    const { code, port: tried } = error as NodeJS.ErrnoException & { readonly port?: number };
    const [section, { host, port }] =
      tried !== config.api.port && tried === config.metrics.port
        ? (['metrics', config.metrics] as const)
        : (['api', config.api] as const);
    if (code === 'EADDRINUSE')
      throw new Complaint(
        `Port ${port} of ${host} is in use. Another is chosen with --set ${section}.port=PORT; 0 is any free one.`,
      );
    if (code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND')
      throw new Complaint(`${host} port ${port} cannot be listened on (${code}).`);
    throw error;
  }
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** `late`: with what the process ends otherwise. */
async function inTime(stopped: Promise<void>, late: number = EXIT.failed): Promise<void> {
  const ended = pause(END_MS, new AbortController().signal).then(() => {
    throw new Complaint('It did not end in time. Nothing is lost: what is unfinished goes on at the next start.', late);
  });
  await Promise.race([stopped, ended]);
}

const version = (): string => JSON.parse(readFileSync(description, 'utf8')).version;

listenToSignals();
for (const stream of [standardOutput, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A service does not live by what it prints.
    if (serving) return;
    // Whoever reads our output may stop before we do: `pumice flows list | head`.
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    if (stream === standardOutput) err.line(`pumice: What was to be printed could not be written: ${error.message}`);
    leave(EXIT.failed);
  });
}
// Waits of ours keep no process alive; a command that is not done does.
const alive = setInterval(() => {}, 60_000);
process.exitCode = await main();
clearInterval(alive);
// What did not end in time (`inTime`) must not keep the process either.
setTimeout(() => leave(Number(process.exitCode ?? EXIT.ok)), GRACE_MS).unref();
