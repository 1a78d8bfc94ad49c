/** Where the acts of the demonstration happen: each is asked for over HTTP, drawn while its flow runs, and told at its end. */
import type { EngineEvent } from '../../engine/events.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { duration } from '../times.ts';
import { type Client, type DemoAnswer, type DemoKind, RequestRefused, type Resource } from './client.ts';
import type { Ended, FlowPicture } from './flow-picture.ts';

export interface StageOptions {
  readonly out: Terminal;
  readonly client: Client;
  readonly picture: FlowPicture;
  readonly signal: AbortSignal;
}

export class Stage {
  readonly #options: StageOptions;
  readonly #found: Readonly<Record<DemoKind, ReadonlyMap<string, Resource>>>;
  #acts = 0;
  #made = 0;

  /** What earlier runs left is found, and shown. */
  static async open(options: StageOptions): Promise<Stage> {
    const { client, out } = options;
    const volumes = await settled(client, 'volume');
    const snapshots = await settled(client, 'snapshot');
    if (volumes.length + snapshots.length > 0) {
      out.line();
      out.line(out.paint('bold', `Found again: ${volumes.length} volumes and ${snapshots.length} snapshots`));
      out.lines(foundTable(out, volumes, snapshots).map((line) => `  ${line}`));
    }
    return new Stage(options, { volume: byName(volumes), snapshot: byName(snapshots) });
  }

  private constructor(options: StageOptions, found: Readonly<Record<DemoKind, ReadonlyMap<string, Resource>>>) {
    this.#options = options;
    this.#found = found;
  }

  /** Something was made in this run. */
  get acted(): boolean {
    return this.#made > 0;
  }

  has(kind: DemoKind, name: string): boolean {
    return this.#found[kind].get(name)?.status === 'available';
  }

  volume(name: string, title: string, body: object, also?: (event: EngineEvent) => void): Promise<Resource> {
    return this.#make('volume', name, title, '/volumes', async () => ({ volume: { name, ...body } }), also);
  }

  snapshot(name: string, title: string, of: Resource): Promise<Resource> {
    return this.#make('snapshot', name, title, '/snapshots', async () => ({ snapshot: { name, volume_id: of.id } }));
  }

  managed(name: string, title: string, of: Resource, prepare: () => Promise<string>): Promise<Resource> {
    return this.#make('snapshot', name, title, '/manageable_snapshots', async () => ({
      snapshot: { name, volume_id: of.id, ref: { 'source-name': await prepare() } },
    }));
  }

  /** Makes a clone and deletes it. */
  async passing(name: string, source: Resource): Promise<void> {
    const clone = await this.volume(name, `A clone of ${source.name}`, { size: source.size, source_volid: source.id });
    this.#title('… and its end');
    const { out, client } = this.#options;
    const { ended } = await this.#play(() => client.ask('DELETE', `/volumes/${clone.id}`));
    await client.settled('volume', clone.id);
    this.#told('green', `volume ${clone.id} is gone`, ended);
    out.line(
      out.paint('dim', '     Everything else was there already: --no-demo only serves, --data DIR begins anew.'),
    );
  }

  /** An act that cannot be shown on this machine. */
  without(title: string, why: string): void {
    this.#title(title);
    this.#options.out.line(`     ${this.#options.out.paint('yellow', 'not shown')}: ${why}`);
  }

  async #make(
    kind: DemoKind,
    name: string,
    title: string,
    path: string,
    body: () => Promise<object>,
    also?: (event: EngineEvent) => void,
  ): Promise<Resource> {
    const { client } = this.#options;
    const found = this.#found[kind].get(name);
    if (found?.status === 'available') return found;
    // One that ended in error is in the way of nothing, but would be left for ever.
    if (found !== undefined) await client.ask('DELETE', `/${kind}s/${found.id}`);
    this.#title(title);
    this.#made += 1;
    const wanted = await body();
    const { answer, ended } = await this.#play(() => client.ask('POST', path, wanted), also);
    const { id } = answer.body[kind] as Resource;
    const made = await client.settled(kind, id);
    if (made === undefined) throw new RequestRefused(`${kind} ${id} is gone.`);
    const host = made['os-vol-host-attr:host'];
    this.#told(
      made.status === 'available' ? 'green' : 'red',
      `${kind} ${id} is ${made.status}${host ? ` on ${host}` : ''}`,
      ended,
    );
    if (made.status !== 'available') throw new RequestRefused(`${title} ended in ${made.status}.`);
    return made;
  }

  #play(
    ask: () => Promise<DemoAnswer>,
    also?: (event: EngineEvent) => void,
  ): Promise<{ readonly answer: DemoAnswer; readonly ended: Ended }> {
    const { picture, signal } = this.#options;
    return picture.follow(async () => this.#asked(await ask()), signal, also);
  }

  #asked(answer: DemoAnswer): DemoAnswer {
    const { out } = this.#options;
    out.line(`     ${out.paint('dim', `${answer.method} ${answer.path} → ${answer.status}`)}`);
    return answer;
  }

  #title(title: string): void {
    const { out } = this.#options;
    this.#acts += 1;
    out.line();
    out.line(`${out.paint('bold', `${String(this.#acts).padStart(2)}  ${title}`)}`);
  }

  #told(style: 'green' | 'red', text: string, ended: Ended): void {
    const { out } = this.#options;
    const took = ended.is === 'flow-ended' ? ` after ${duration(ended.ms)}` : '';
    out.line(`   ${out.paint(style, '=')} ${text}${took}`);
  }
}

/** What a flow of the last run works on is waited for. */
async function settled(client: Client, kind: DemoKind): Promise<readonly Resource[]> {
  const all = await Promise.all((await client.list(kind)).map(({ id }) => client.settled(kind, id)));
  return all.filter((each) => each !== undefined);
}

const byName = (resources: readonly Resource[]): ReadonlyMap<string, Resource> =>
  new Map(resources.flatMap((each) => (each.name === null ? [] : [[each.name, each] as const])));

function foundTable(terminal: Terminal, volumes: readonly Resource[], snapshots: readonly Resource[]): string[] {
  const row = (kind: DemoKind, each: Resource): Cell[] => [
    kind,
    each.name ?? '',
    `${each.size} GiB`,
    { text: each.status, style: each.status === 'available' ? 'green' : 'yellow' },
    each['os-vol-host-attr:host'] ?? '',
    each.id,
  ];
  return tableLines(
    terminal,
    [
      { title: 'KIND' },
      { title: 'NAME', shrinksTo: 10 },
      { title: 'SIZE', align: 'right' },
      { title: 'STATUS' },
      { title: 'ON', shrinksTo: 8 },
      { title: 'ID', shrinksTo: 9 },
    ],
    [...volumes.map((each) => row('volume', each)), ...snapshots.map((each) => row('snapshot', each))],
  );
}
