/**
 * `pumice start`: a trial that needs nothing. It serves on a configuration of its own, shows the work of the service as it
 * happens, suggests the next commands, and stays up. The log goes to a file, so that the terminal is for people.
 */

import { join, relative } from 'node:path';
import type { EngineEvent } from '../engine/events.ts';
import { hostOfSection } from '../lib/config/config-rules.ts';
import { createLog, type Log, logTo } from '../lib/logging.ts';
import { DATA_DIRECTORY } from './configuration.ts';
import type { CliContext, Running } from './context.ts';
import { demonstrate } from './demo/demonstrate.ts';
import { FlowPicture } from './demo/flow-picture.ts';
import { nextLines } from './demo/next-lines.ts';
import { EXIT } from './exit-codes.ts';
import { keepFurnished, prepareTrial } from './trial-directory.ts';

export interface StartCommandOptions {
  readonly data: string;
  readonly port?: number;
  readonly host?: string;
  readonly demo: boolean;
  readonly set: readonly string[];
}

const LOG_NAME = 'pumice.log';

export async function start(options: StartCommandOptions, around: CliContext): Promise<number> {
  const { out, err, signal } = around;
  const config = prepareTrial(options.data, overrides(options));
  const logFile = join(config.data_directory, LOG_NAME);
  const log = createLog({ level: config.log.level, fields: { node: config.node_name }, to: logTo(logFile) });
  const picture = new FlowPicture(out);
  let takenUp = 0;
  const running = await around.serve(config, log, (event: EngineEvent) => {
    if (event.is === 'flow-started' && event.recovered) takenUp += 1;
    picture.hear(event);
  });
  log.info({ address: running.address }, 'serving');
  keepFurnished(config);
  const facts: readonly (readonly [string, string])[] = [
    ['data', shortPath(config.data_directory)],
    ['backends', backendsLine(running)],
    ['log', shortPath(logFile)],
    ...(takenUp === 0 ? [] : ([['taken up', `${takenUp} unfinished flows of the last run`]] as const)),
  ];
  out.line();
  out.line(`${out.paint('bold', `Pumice ${around.version}`)} serves on ${out.paint('cyan', running.address)}`);
  out.lines(facts.map(([name, value]) => `  ${out.paint('dim', name.padEnd(9))} ${value}`));
  if (options.demo) {
    out.line();
    out.lines(
      [
        '✓ a task on a disk or a service, and its time    · only in the database, in one commit with others',
        '✗ failed    ↶ undone    ↻ all of it undone, and another backend tried    = what came of it',
      ].map((line) => out.paint('dim', `  ${line}`)),
    );
    try {
      await demonstrate({ out, config, running, picture, signal });
    } catch (error) {
      if (!signal.aborted) tellFailure(error, err, log, logFile);
    }
  }
  if (!signal.aborted) {
    const data = options.data === DATA_DIRECTORY ? '' : ` --data ${quoted(options.data)}`;
    out.lines(nextLines(out, { address: running.address, data, flowId: picture.lastFlowId }));
  }
  await running.ended();
  log.info('ended');
  out.line();
  out.line('Ended. Everything is kept; the same command goes on with it.');
  return EXIT.ok;
}

/** As a shell wants it. */
const quoted = (path: string): string => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`);

function overrides({ port, host, set }: StartCommandOptions): string[] {
  return [
    ...(port === undefined ? [] : [`api.port=${port}`]),
    ...(host === undefined ? [] : [`api.host=${host}`]),
    ...set,
  ];
}

function shortPath(path: string): string {
  const fromHere = relative('.', path);
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere;
}

function backendsLine({ desk }: Running): string {
  const { config, tools } = desk;
  return config.enabled_backends
    .map((name) => {
      try {
        const { fastClone } = tools.driver(hostOfSection(config, name)).capabilities;
        return `${name} (${fastClone ? 'files; copies share blocks' : 'files; no reflinks here, so copies copy'})`;
      } catch {
        return `${name} (down)`;
      }
    })
    .join(', ');
}

function tellFailure(error: unknown, err: CliContext['err'], log: Log, logFile: string): void {
  log.error({ err: error }, 'the demonstration failed');
  err.line();
  err.line(`The demonstration stopped: ${error instanceof Error ? error.message : String(error)}`);
  err.line(`The service runs on; ${shortPath(logFile)} says more.`);
}
