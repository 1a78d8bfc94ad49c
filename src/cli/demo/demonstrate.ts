/**
 * The first minute: the main job in the terminal as it happens, over HTTP like any client's.
 *
 * Each act makes one thing with a name of its own, or gives it another type. What an earlier run did is found again and not done
 * twice, so running it often does not fill the disk; when all is there, one volume comes and goes.
 */

import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { listPools } from '../../db/pools.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { GIB } from '../../lib/bytes.ts';
import type { Config } from '../../lib/config/config.ts';
import { backendOf, hostOf } from '../../model/backend.ts';
import { ONE_MOMENT } from '../../model/group-type.ts';
import { schedule } from '../../scheduler/schedule.ts';
import type { Running } from '../context.ts';
import type { Terminal } from '../terminal.ts';
import { directoryOf, giveBack, takeAway } from '../trial-directory.ts';
import { Client, type Resource } from './client.ts';
import type { FlowPicture } from './flow-picture.ts';
import { demoImage } from './image.ts';
import { Stage } from './stage.ts';

export interface Demonstration {
  readonly out: Terminal;
  readonly config: Config;
  readonly running: Running;
  readonly picture: FlowPicture;
  readonly signal: AbortSignal;
}

const SIZE_GIB = 1;
const BROUGHT_ALONG = 'brought-along.raw';

export async function demonstrate({ out, config, running, picture, signal }: Demonstration): Promise<void> {
  const client = new Client(running.address, signal);
  const stage = await Stage.open({ out, client, picture, signal });
  const size = SIZE_GIB;

  const blank = await stage.volume('blank', 'A blank volume', { size });
  const image = await demoImage(config, signal);
  if (image === null) stage.without('A volume from an image', 'qemu-img is not installed (apt-get install qemu-utils)');
  const filled = image && (await stage.volume('from-image', 'A volume from an image', { size, imageRef: image.id }));
  const source = filled ?? blank;
  const snapshot = await stage.snapshot('snapshot', `A snapshot of ${source.name}`, source);
  await stage.volume('from-snapshot', 'A volume from the snapshot', { size, snapshot_id: snapshot.id });
  const clone = await stage.volume('clone', `A clone of ${source.name}`, { size, source_volid: source.id });
  await retype(stage, config, clone);
  await stage.managed('brought-along', 'A file that was there already, brought in as a snapshot of blank', blank, () =>
    bringAlong(config, blank),
  );
  await group(stage, running, blank);
  await reschedule(stage, { config, running });
  if (!stage.acted) await stage.passing('passing', source);
}

/** To a type of another backend than it is on. It keeps that type, by which a later run knows that it has moved. */
async function retype(stage: Stage, { backends, enabled_backends }: Config, volume: Resource): Promise<void> {
  const names = [...new Set(enabled_backends.map((each) => backends[each]?.volume_backend_name ?? each))];
  if (names.some((name) => volume.volume_type === typeOf(name))) return;
  const here = backendOf(volume['os-vol-host-attr:host'] ?? '') ?? '';
  const other = names.find((name) => name !== backends[here]?.volume_backend_name);
  if (other === undefined) return stage.without('A retype that moves a volume', 'there is no other backend');
  const type = { name: typeOf(other), specs: { volume_backend_name: other } };
  await stage.retyped(volume, `A retype of ${volume.name} to a type of backend ${other}: it moves there`, type);
}

const typeOf = (backendName: string): string => `on-${backendName}`;

/** Its snapshot is of one moment where a backend can keep one. */
async function group(stage: Stage, { desk: { db, tools } }: Running, like: Resource): Promise<void> {
  const pools = await listPools(db.read, tools.serviceDownSeconds);
  const oneMoment = pools.some(({ stats }) => stats[ONE_MOMENT] === true);
  const type = oneMoment
    ? { name: 'one-moment', specs: { [ONE_MOMENT]: '<is> True' } }
    : { name: 'one-by-one', specs: {} };
  const { id } = await stage.group('pair', 'A group, for volumes that are snapshotted together', type, like);
  const member = { size: SIZE_GIB, volume_type: like.volume_type, group_id: id };
  await stage.volume('pair-data', 'A volume in the group', member);
  await stage.volume('pair-log', 'Another volume in the group', member);
  const how = oneMoment ? 'both volumes in one moment' : 'one volume after the other (no reflinks here)';
  await stage.groupSnapshot('pair-snapshot', `A snapshot of the group: ${how}`, id);
}

/** An operator's file in the backend's directory. */
async function bringAlong(config: Config, volume: Resource): Promise<string> {
  const backend = backendOf(volume['os-vol-host-attr:host'] ?? '') ?? '';
  const file = await open(join(directoryNamed(config, backend), BROUGHT_ALONG), 'w');
  try {
    await file.write(randomBytes(1024 ** 2), 0, 1024 ** 2, 0);
    await file.truncate(SIZE_GIB * GIB);
  } finally {
    await file.close();
  }
  return BROUGHT_ALONG;
}

/** The backend that will be chosen loses its directory just before, and gets it back when the first attempt has failed. */
async function reschedule(stage: Stage, { config, running }: Pick<Demonstration, 'config' | 'running'>): Promise<void> {
  const name = 'rescheduled';
  if (stage.has('volume', name)) return;
  const chosen = await nextPool(running);
  const path = directoryNamed(config, backendOf(chosen) ?? '');
  const back = (event: EngineEvent): void => {
    if (event.is === 'task-failed') giveBack(path);
  };
  takeAway(path);
  try {
    const title = `A create whose backend fails: the directory of ${hostOf(chosen)} is taken away just before`;
    await stage.volume(name, title, { size: SIZE_GIB }, back);
  } finally {
    giveBack(path);
  }
}

/** Of a backend that keeps its volumes in one, as those of a trial do. */
function directoryNamed({ backends }: Config, name: string): string {
  const backend = backends[name];
  return (backend && directoryOf(backend)) ?? '';
}

async function nextPool({ desk: { db, tools } }: Running): Promise<string> {
  const pools = await listPools(db.read, tools.serviceDownSeconds);
  return schedule(pools, { sizeGiB: SIZE_GIB }, tools.scheduler).name;
}
