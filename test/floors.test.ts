/**
 * The house, checked: who may import whom, what files are called, what has one home, and how long a file may be.
 *
 * A file imports from floors below or from its own room, never up and never across; an import of a type counts. `main.ts`,
 * `wiring.ts` and `parts.ts` stand outside and see everything, and nothing imports them but each other.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';

/** From the ground up. Rooms of one floor are strangers, but for those that `NEIGHBOURS` introduces. */
const FLOORS = [
  ['lib', 'model', 'http'],
  ['engine'],
  ['db', 'drivers', 'scheduler', 'clients', 'events', 'backups', 'traces'],
  ['flows'],
  ['commands', 'why', 'alarms', 'doctor', 'import'],
  ['api', 'cli', 'upkeep', 'metrics'],
] as const;
const NEIGHBOURS: readonly string[] = ['model → lib', 'http → lib'];
/** The engine runs any flow and has never heard of a volume. */
const STRANGERS: readonly string[] = ['engine → model'];

const OUTSIDE = ['src/main.ts', 'src/wiring.ts', 'src/parts.ts'];

/** What has one home. The command line is a client and may be told by the environment whom to talk to. */
const HOMES = [
  {
    what: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bhrtime\b|\brandomUUID\(/,
    home: /^src\/lib\/clock\.ts$/,
  },
  { what: /\bchild_process\b/, home: /^src\/lib\/exec\.ts$/ },
  // Node's `fetch` has let a peer end the process: others are asked through the one client that is tested for what they may do.
  {
    what: /(\bawait|\breturn|=>|[=(,:?])[ \n]*fetch\(|\bglobalThis\.fetch\b|\bundici\b|(?<![#.])\bhttps?\.(get|request)\(|\{[^{};]*\b(get|request)\b[^{};]*\} from 'node:https?'/,
    home: /^src\/http\//,
  },
  // The doctor's checks ask of tables what nobody else asks.
  {
    what: /\b(selectFrom|insertInto|updateTable|deleteFrom|mergeInto|replaceInto)\(|\bsql(<[^>]*>)?`|\bfrom 'kysely'|\bconnection\.(run|statement)\(/,
    home: /^src\/(db|doctor\/checks)\//,
  },
  // A list of statuses is derived from the rules.
  {
    what: /\[\s*'(available|in-use|error\w*|[\w-]+ing)',\s*'(available|in-use|error\w*|[\w-]+ing)'/,
    home: /^src\/(?!commands|flows)/,
  },
  // What a status becomes is the rule's to say (`model/status.ts`): the operation is named, or its end.
  { what: /\bupdate(Volume|Snapshot|Backup|Group|GroupSnapshot)\([^;]*\bstatus: '/, home: /^src\/model\// },
  { what: /\bfunction \w*[sS]yncDir/, home: /^src\/lib\/sync-directory\.ts$/ },
  // An import of more than its types loads Node's `fetch` with all that belongs to it: 3 MB.
  { what: /^import (?!type\b)[^;]*'node:http'/m, home: /^src\/http\/node-http\.ts$/ },
  { what: /\bprocess\.env\b/, home: /^src\/(lib\/exec\.ts$|cli\/)/ },
] as const;

/** Files of more than 300 lines, each with its reason. */
const LONG: Readonly<Record<string, string>> = {
  'src/drivers/driver.ts': 'the contract of every kind of backend, call by call, with what must hold',
  'src/backups/backups.ts': 'the contract between backups and the rest of the house, order by order',
  'src/drivers/file/file-driver.ts': 'a method for each of the contract, hardly a line more',
  'src/model/errors.ts': 'each error of the catalogue with its answer',
  'src/drivers/rbd/rbd-driver.ts': 'a method for each of the contract, hardly a line more',
  'src/drivers/lvm/lvm-driver.ts': 'a method for each of the contract, hardly a line more',
  'src/db/sql/schema.ts': 'every table, column by column',
  'src/import/cinder/cinder-tables.ts': 'every table of Cinder that is read, column by column',
  'src/model/status.ts': 'the rules of volumes and of snapshots: which operation leads where',
  'src/engine/engine.ts': 'all that the rest of the house may ask of the engine',
  'src/engine/runner.ts': 'the loop of one flow with the state it guards; decisions and writes are elsewhere',
};

const files = ['src', 'test', 'bench', 'scripts', 'page'].flatMap(filesBelow);
const source = files.filter((file) => file.startsWith('src/'));
const page = files.filter((file) => file.startsWith('page/'));
const others = files.filter((file) => file !== 'test/floors.test.ts');
const text = (file: string): string => readFileSync(file, 'utf8');

describe('the house', () => {
  test('imports only go down', () => {
    assert.deepEqual(source.flatMap(climbing), []);
  });

  test('every room has a floor', () => {
    const rooms = new Set(source.filter((file) => !OUTSIDE.includes(file)).map(roomOf));
    assert.deepEqual(
      [...rooms].filter((room) => floorOf(room) < 0),
      [],
    );
  });

  for (const { what, home } of HOMES) {
    test(`${what.source} is only in ${home.source}`, () => {
      const elsewhere = source.filter((file) => !home.test(file) && !OUTSIDE.includes(file) && what.test(text(file)));
      assert.deepEqual(elsewhere, []);
    });
  }

  test('names are kebab-case, and say what is inside', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|types))?\.[a-z]+$/;
    const vague = /(^|\/)(utils?|common|helpers?|misc|shared|index)(\.ts|\/)/;
    assert.deepEqual(
      files.filter((file) => !kebab.test(basename(file)) || vague.test(file)),
      [],
    );
  });

  test('a file is imported by its own name', () => {
    assert.deepEqual(
      source.filter((file) => /^export \* from/m.test(text(file))),
      [],
    );
  });

  test('a file begins with a sentence about itself', () => {
    assert.deepEqual(
      [...source, ...page].filter((file) => !text(file).startsWith('/**')),
      [],
    );
  });

  // A search for the name of a type finds the one thing that it means. Types that a file keeps to itself may be called alike.
  test("a type's name is exported once", () => {
    const homes = Map.groupBy(source.flatMap(exportedTypes), ({ name }) => name);
    const twice = [...homes].filter(([, files]) => files.length > 1);
    assert.deepEqual(
      twice.map(([name, files]) => `${name}: ${files.map(({ file }) => file).join(', ')}`),
      [],
    );
  });

  test('nothing is left for later', () => {
    assert.deepEqual(
      others.filter((file) => /\b(TODO|FIXME|XXX)\b/.test(text(file))),
      [],
    );
  });

  test('nothing is hidden from the compiler, but for files that prove what it refuses', () => {
    const hidden = others.filter(
      (file) => !file.endsWith('.types.ts') && /@ts-(ignore|expect-error|nocheck)/.test(text(file)),
    );
    assert.deepEqual(hidden, []);
  });

  test('a long file has a reason', () => {
    const long = files.filter((file) => !file.startsWith('test/') && text(file).split('\n').length - 1 > 300);
    assert.deepEqual(
      long.filter((file) => LONG[file] === undefined),
      [],
    );
    assert.deepEqual(
      Object.keys(LONG).filter((file) => !files.includes(file)),
      [],
    );
  });

  test('hooks stand inside a describe: the test files share a process', () => {
    const alone = /^test\/(crash|compat)\//;
    const hook = /^(before|beforeEach|afterEach)\(/m;
    assert.deepEqual(
      files.filter((file) => file.endsWith('.test.ts') && !alone.test(file) && hook.test(text(file))),
      [],
    );
  });
});

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch {
    return [];
  }
}

function exportedTypes(file: string): { readonly name: string; readonly file: string }[] {
  const declared = text(file).matchAll(/^export (?:declare )?(?:abstract )?(?:interface|type|class) (\w+)/gm);
  const listed = text(file).matchAll(/^export type \{([^}]*)\};/gm);
  const names = [...listed].flatMap(([, names = '']) =>
    names.split(',').map((name) => name.trim().split(/ as /).at(-1)),
  );
  return [...[...declared].map(([, name]) => name), ...names].flatMap((name) => (name ? [{ name, file }] : []));
}

const roomOf = (file: string): string => file.split('/')[1] ?? '';
const floorOf = (room: string): number => FLOORS.findIndex((rooms) => (rooms as readonly string[]).includes(room));

/** The imports of a file that it may not have, as `file → imported`. */
function climbing(file: string): string[] {
  if (OUTSIDE.includes(file)) return [];
  const imported = text(file).matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)['`](\.[^'`]+)['`]/g);
  return [...imported]
    .map(([, specifier]) => join(dirname(file), specifier ?? ''))
    .filter((target) => !mayImport(roomOf(file), target))
    .map((target) => `${file} → ${target}`);
}

function mayImport(room: string, target: string): boolean {
  if (!target.startsWith('src/') || OUTSIDE.includes(target)) return false;
  const other = roomOf(target);
  const way = `${room} → ${other}`;
  return room === other || NEIGHBOURS.includes(way) || (floorOf(other) < floorOf(room) && !STRANGERS.includes(way));
}
