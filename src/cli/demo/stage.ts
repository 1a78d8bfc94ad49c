/** Where the acts of the demonstration happen: each is asked for over HTTP, drawn while its flow runs, and told at its end. */
import type { EngineEvent } from '../../engine/events.ts';
import { duration } from '../../lib/times.ts';
import { type Cell, tableLines } from '../table.ts';
import { type Terminal, wrap } from '../terminal.ts';
import {
  type Client,
  DEMO_KINDS,
  type DemoAnswer,
  type DemoKind,
  type DemoType,
  RequestRefused,
  type Resource,
} from './client.ts';
import type { Ended, FlowPicture } from './flow-picture.ts';

export interface StageOptions {
  readonly out: Terminal;
  readonly client: Client;
  readonly picture: FlowPicture;
  readonly signal: AbortSignal;
}

type Found = Readonly<Record<DemoKind, readonly Resource[]>>;

export class Stage {
  readonly #options: StageOptions;
  readonly #found: Found;
  #acts = 0;
  #made = 0;

  /** What earlier runs left is found, and shown. */
  static async open(options: StageOptions): Promise<Stage> {
    const { client, out } = options;
    const found: Found = {
      volume: await settled(client, 'volume'),
      snapshot: await settled(client, 'snapshot'),
      group: await settled(client, 'group'),
      group_snapshot: await settled(client, 'group_snapshot'),
    };
    const kinds = DEMO_KINDS.filter((kind) => found[kind].length > 0);
    if (kinds.length > 0) {
      out.line();
      out.line(out.paint('bold', `Found again: ${kinds.map((kind) => counted(found[kind].length, kind)).join(', ')}`));
      out.lines(foundTable(out, found));
    }
    return new Stage(options, found);
  }

  private constructor(options: StageOptions, found: Found) {
    this.#options = options;
    this.#found = found;
  }

  /** Something was made in this run. */
  get acted(): boolean {
    return this.#made > 0;
  }

  has(kind: DemoKind, name: string): boolean {
    return isWell(this.#foundAs(kind, name));
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

  group(name: string, title: string, type: DemoType, of: Resource): Promise<Resource> {
    return this.#make('group', name, title, '/groups', async () => {
      await this.#type('group_type', type);
      return { group: { name, group_type: type.name, volume_types: [of.volume_type] } };
    });
  }

  groupSnapshot(name: string, title: string, groupId: string): Promise<Resource> {
    return this.#make('group_snapshot', name, title, '/group_snapshots', async () => ({
      group_snapshot: { name, group_id: groupId },
    }));
  }

  /** To the type, wherever that leads. */
  async retyped({ id }: Resource, title: string, type: DemoType): Promise<void> {
    const { client } = this.#options;
    this.#title(title);
    this.#made += 1;
    await this.#type('volume_type', type);
    const body = { 'os-retype': { new_type: type.name, migration_policy: 'on-demand' } };
    const { ended } = await this.#play(() => client.ask('POST', `/volumes/${id}/action`, body));
    const volume = await client.settled('volume', id);
    if (volume?.volume_type !== type.name) throw new RequestRefused(`Volume ${id} is not of type ${type.name}.`);
    this.#told('green', `volume ${id} is of type ${type.name} on ${volume['os-vol-host-attr:host']}`, ended);
  }

  /** Makes a clone and deletes it. */
  async passing(name: string, source: Resource): Promise<void> {
    const clone = await this.volume(name, `A clone of ${source.name}`, { size: source.size, source_volid: source.id });
    this.#title('… and its end');
    const { out, client } = this.#options;
    const { ended } = await this.#play(() => client.ask('DELETE', `/volumes/${clone.id}`));
    await client.settled('volume', clone.id);
    this.#told('green', `volume ${clone.id} is gone`, ended);
    const all = wrap('Everything else was there already: --no-demo only serves, --data DIR begins anew.', this.#room);
    out.lines(all.map((line) => out.paint('dim', `     ${line}`)));
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
    const found = this.#foundAs(kind, name);
    if (found !== undefined && isWell(found)) return found;
    // One that ended in error is in the way of nothing, but would be left for ever.
    if (found !== undefined) await this.#discard(kind, found);
    this.#title(title);
    this.#made += 1;
    const wanted = await body();
    const ask = () => client.ask('POST', path, wanted);
    // A group is made in its request, without a flow.
    const { answer, ended } =
      kind === 'group' ? { answer: this.#asked(await ask()), ended: null } : await this.#play(ask, also);
    const { id } = answer.body[kind] as Resource;
    const made = await client.settled(kind, id);
    if (made === undefined) throw new RequestRefused(`${spoken(kind)} ${id} is gone.`);
    const host = made['os-vol-host-attr:host'];
    this.#told(
      made.status === 'available' ? 'green' : 'red',
      `${spoken(kind)} ${id} is ${made.status}${host ? ` on ${host}` : ''}`,
      ended,
    );
    if (made.status !== 'available') throw new RequestRefused(`${title} ended in ${made.status}.`);
    return made;
  }

  /** The oldest: lists begin with the newest. */
  #foundAs(kind: DemoKind, name: string): Resource | undefined {
    return this.#found[kind].findLast((each) => each.name === name);
  }

  async #discard(kind: DemoKind, { id, group_id }: Resource): Promise<void> {
    const { client } = this.#options;
    if (group_id != null) {
      await client.ask('PUT', `/groups/${group_id}`, { group: { remove_volumes: id } });
      await client.settled('group', group_id);
    }
    if (kind === 'group') await client.ask('POST', `/groups/${id}/action`, { delete: {} });
    else await client.ask('DELETE', `/${kind}s/${id}`);
  }

  /** An earlier run's is found again. */
  async #type(kind: 'volume_type' | 'group_type', { name, specs }: DemoType): Promise<void> {
    const { client } = this.#options;
    const [path, field] = kind === 'volume_type' ? ['/types', 'extra_specs'] : ['/group_types', 'group_specs'];
    const { body } = await client.ask('GET', path);
    if ((body[`${kind}s`] as readonly { readonly name: string }[]).some((each) => each.name === name)) return;
    this.#asked(await client.ask('POST', path, { [kind]: { name, [field]: specs } }));
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
    for (const [index, line] of wrap(title, this.#room).entries())
      out.line(out.paint('bold', `${(index === 0 ? String(this.#acts) : '').padStart(2)}  ${line}`));
  }

  #told(style: 'green' | 'red', text: string, ended: Ended | null): void {
    const { out } = this.#options;
    const took = ended?.is === 'flow-ended' ? ` after ${duration(ended.ms)}` : '';
    for (const [index, line] of wrap(`${text}${took}`, this.#room).entries())
      out.line(`   ${index === 0 ? out.paint(style, '=') : ' '} ${line}`);
  }

  /** Columns beside the indentation. */
  get #room(): number {
    return this.#options.out.width - 5;
  }
}

/** What a flow of the last run works on is waited for. */
async function settled(client: Client, kind: DemoKind): Promise<readonly Resource[]> {
  const all = await Promise.all((await client.list(kind)).map(({ id }) => client.settled(kind, id)));
  return all.filter((each) => each !== undefined);
}

const spoken = (kind: DemoKind): string => kind.replace('_', ' ');

const counted = (count: number, kind: DemoKind): string => `${count} ${spoken(kind)}${count === 1 ? '' : 's'}`;

function foundTable(terminal: Terminal, found: Found): string[] {
  const row = (kind: DemoKind, each: Resource): Cell[] => [
    spoken(kind),
    each.name ?? '',
    each.size === undefined ? '' : `${each.size} GiB`,
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
    DEMO_KINDS.flatMap((kind) => found[kind].map((each) => row(kind, each))),
  );
}

/** Somebody may have attached it since. */
const isWell = (found: Resource | undefined): boolean => found !== undefined && !found.status.startsWith('error');
