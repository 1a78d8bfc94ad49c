/**
 * Whether a full backend shows: a create where 100,000 volumes are already, beside one on an empty backend. Only the files are
 * there, not their rows, so that nothing but the driver can tell the two apart.
 */

import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { uuid } from '../src/lib/clock.ts';
import { THIS_BUILD } from './build.ts';
import { type CreateFigures, createsIn } from './creates.ts';
import type { Part } from './part.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const FILES = 100_000;

export const fullBackend: Part = {
  limit:
    'A file is made by its name, for which the file system takes as long in a full directory as in an empty one: ' +
    '1 × is the limit.',
  measure: measureFullBackend,
};

async function measureFullBackend(world: World): Promise<Result[]> {
  world.tell(`making ${FILES} files`);
  const crowded = newDirectory(world);
  const volumes = join(crowded, 'volumes');
  mkdirSync(volumes);
  for (let made = 0; made < FILES; made += 1) closeSync(openSync(join(volumes, `volume-${uuid()}`), 'wx'));
  const on = async (directory: string): Promise<CreateFigures> => {
    const database = await newDatabase(world, 'sqlite');
    const figures = await createsIn(world, database, THIS_BUILD, directory);
    await dropDatabase(world, database);
    return figures;
  };
  const { full, empty } = await rounds(
    world.rounds,
    { full: () => on(crowded), empty: () => on(newDirectory(world)) },
    world.tell,
  );
  const row = (figure: string, key: keyof CreateFigures, unit: string): Row => {
    const [measured, beside] = [full, empty].map((figures) => figures.map((each) => each[key]));
    return {
      figure: `${figure}, 10 clients, on a backend of ${FILES.toLocaleString('en')} files`,
      measured: quantity(measured ?? [], unit),
      beside: { what: 'empty backend', quantity: quantity(beside ?? [], unit), isLimit: true },
      ratio: ratios(measured ?? [], beside ?? []),
    };
  };
  return [
    { ...row('CPU of a create and its flow', 'cpuMs', 'ms'), wanted: { of: 'ratio', atMost: 1.2 } },
    row('POST /volumes accepted', 'acceptedPerSecond', '/s'),
  ];
}
