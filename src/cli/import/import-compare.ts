/** `pumice import compare`: what two services say to the same client, and where they differ. */
import { readFileSync } from 'node:fs';
import { PeerFailure } from '../../http/peer-failure.ts';
import { compareServices, type Difference } from '../../import/compare/compare-services.ts';
import { whyKnown } from '../../import/compare/known-differences.ts';
import { ReadService, type ReadServiceOptions } from '../../import/compare/read-service.ts';
import type { CliContext } from '../context.ts';
import { Complaint, EXIT } from '../exit-codes.ts';
import { printable } from '../terminal.ts';

export interface CompareOptions {
  readonly cinder: string;
  readonly pumice: string;
  readonly tokenFile: string;
  readonly ca?: string;
  readonly allProjects?: boolean;
  readonly json?: boolean;
}

export async function compare(options: CompareOptions, { out, err, signal }: CliContext): Promise<number> {
  const token = firstLine(options.tokenFile);
  const ca = options.ca === undefined ? {} : { ca: readFileSync(options.ca, 'utf8') };
  const [cinder, pumice] = [
    service({ name: 'Cinder', url: options.cinder, token, ...ca }),
    service({ name: 'Pumice', url: options.pumice, token, ...ca }),
  ];
  const known = new Map<string, number>();
  const found: Difference[] = [];
  const lists: { list: string; rows: number }[] = [];
  try {
    const version = older(await cinder.newest(signal), await pumice.newest(signal));
    for (const each of [cinder, pumice]) each.speak(version);
    const tell = (difference: Difference): void => {
      const because = whyKnown(difference);
      if (because !== undefined) known.set(because, (known.get(because) ?? 0) + 1);
      else if (options.json) found.push(difference);
      else out.line(printable(inWords(difference)));
      if (because === undefined && !options.json) found.length += 1;
    };
    const services = { cinder, pumice, ofAll: options.allProjects === true, signal };
    for await (const list of compareServices(services, tell)) lists.push(list);
    const rows = lists.reduce((sum, each) => sum + each.rows, 0);
    if (options.json)
      out.line(JSON.stringify({ version, lists, differences: found, known: Object.fromEntries(known) }, null, 2));
    else {
      for (const [because, times] of known) out.line(`known, ${times} times: ${because}`);
      out.line(
        `${lists.length} lists, ${rows} rows at ${version}: ${found.length} fields differ that are not known to.`,
      );
    }
    return found.length === 0 ? EXIT.ok : EXIT.findings;
  } catch (error) {
    if (!(error instanceof PeerFailure)) throw error;
    err.line(`pumice: ${error.message}`);
    return EXIT.failed;
  }
}

function service(options: ReadServiceOptions): ReadService {
  try {
    return new ReadService(options);
  } catch (error) {
    if (error instanceof TypeError) throw new Complaint(error.message, EXIT.usage, { cause: error });
    throw error;
  }
}

function firstLine(file: string): string {
  const [line = ''] = readFileSync(file, 'utf8').split('\n');
  if (line.trim() === '') throw new Complaint(`${file} is empty; its first line is the token.`, EXIT.usage);
  return line.trim();
}

const older = (a: string, b: string): string => (minorOf(a) < minorOf(b) ? a : b);
const minorOf = (version: string): number => Number(version.split('.')[1] ?? 0);

function inWords({ list, id, field, cinder, pumice }: Difference): string {
  const [path = ''] = list.split('?');
  return `${path} ${id === list ? '' : `${id} `}${field}: Cinder ${shown(cinder)}, Pumice ${shown(pumice)}`;
}

const shown = (value: unknown): string => (value === undefined ? 'has none' : JSON.stringify(value));
