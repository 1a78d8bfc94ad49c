/**
 * The tables that `npm run mutate` falsifies, row by row, and the tests that are to notice.
 *
 * Rows are found in the text of the source, so a new one is falsified without being named here. What a row is turned into
 * need not compile, but must run: the tests do not ask the compiler. The printed documents are no witness, since `npm run
 * docs` makes them agree with any table.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** A row that is not what it was. */
export interface Mutation {
  /** Says which row, and how. */
  readonly name: string;
  readonly file: string;
  /** Where in the text, and what stands there instead. */
  readonly at: number;
  readonly length: number;
  readonly by: string;
  readonly tests: readonly string[];
  /** Options of `node --test`. */
  readonly options?: readonly string[];
}

type Table = () => readonly Mutation[];

const read = (file: string): string => readFileSync(file, 'utf8');
const below = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)
    .sort();

/** Each match of the pattern, whose first group is replaced. */
function each(
  file: string,
  pattern: RegExp,
  by: (part: string, match: RegExpExecArray) => string | undefined,
  how: Pick<Mutation, 'tests' | 'options'> & { name(part: string, match: RegExpExecArray): string },
  [begin, end]: readonly [number, number] = [0, Number.POSITIVE_INFINITY],
): Mutation[] {
  const text = read(file);
  return [...text.matchAll(new RegExp(pattern, 'dgm'))].flatMap((match) => {
    const [at, to] = match.indices?.[1] ?? [0, 0];
    const part = text.slice(at, to);
    const replaced = at >= begin && at < end ? by(part, match) : undefined;
    if (replaced === undefined) return [];
    const { tests, options = [] } = how;
    return [{ name: how.name(part, match), file, at, length: to - at, by: replaced, tests, options }];
  });
}

const REGISTRY = 'src/flows/registry.ts';
const flows: Table = () =>
  each(REGISTRY, /^( {2}\w+,\n)/, () => '', {
    name: (part) => `${part.trim().slice(0, -1)} is not registered`,
    tests: ['test/api/events.test.ts', 'test/flows/registry.test.ts'],
  });

const STATUS = 'src/model/status.ts';
const GROUP_STATUS = 'src/model/group-status.ts';
const BACKUP_STATUS = 'src/model/backup-status.ts';
/** No operation enters or leaves it. */
const OTHER = "'maintenance'";
const isStatus = (text: string): boolean => !/^'(previous|mended|gone|as attached)'$/.test(text);

/** What an operation ends in is said by its flow, and shown by the proof of that. */
const PROOFS: Readonly<Record<string, string>> = {
  'volume create': 'test/flows/volumes/create-volume.test.ts',
  'volume manage': 'test/flows/volumes/manage-volume.test.ts',
  'volume extend': 'test/flows/volumes/extend-volume.test.ts',
  'volume delete': 'test/flows/volumes/delete-volume.test.ts',
  'volume unmanage': 'test/flows/volumes/unmanage-volume.test.ts',
  'snapshot create': 'test/flows/snapshots/create-snapshot.test.ts',
  'snapshot manage': 'test/flows/snapshots/manage-snapshot.test.ts',
  'snapshot delete': 'test/flows/snapshots/delete-snapshot.test.ts',
  'snapshot delete_with_volume': 'test/commands/volumes/delete-volume.test.ts',
  'snapshot delete_with_group_snapshot': 'test/flows/groups/delete-group-snapshot.test.ts',
  'snapshot unmanage': 'test/flows/snapshots/unmanage-snapshot.test.ts',
  'snapshot revert': 'test/flows/volumes/revert-to-snapshot.test.ts',
  'volume delete_with_group': 'test/flows/groups/delete-group.test.ts',
  'volume revert': 'test/flows/volumes/revert-to-snapshot.test.ts',
  'volume reimage': 'test/flows/volumes/reimage-volume.test.ts',
  'volume backup': 'test/flows/backups/create-backup.test.ts',
  'volume restore': 'test/flows/backups/restore-backup.test.ts',
  'snapshot backup': 'test/flows/backups/create-backup.test.ts',
  'backup restore': 'test/flows/backups/restore-backup.test.ts',
  'backup export': 'test/commands/by-status.test.ts',
  'backup verify': 'test/commands/by-status.test.ts',
  'backup delete': 'test/flows/backups/delete-backup.test.ts',
  'group create': 'test/api/groups.test.ts',
  'group update': 'test/flows/groups/update-group.test.ts',
  'group delete': 'test/flows/groups/delete-group.test.ts',
  'group snapshot create': 'test/flows/groups/create-group-snapshot.test.ts',
  'group snapshot delete': 'test/flows/groups/delete-group-snapshot.test.ts',
};

/** What makes a row shows how it begins. */
const MADE: Readonly<Record<string, readonly string[]>> = {
  volume: ['test/commands/volumes/create-volume.test.ts', 'test/commands/volumes/manage-volume.test.ts'],
  snapshot: ['test/commands/snapshots/snapshots.test.ts'],
  group: ['test/api/groups.test.ts'],
  'group snapshot': ['test/flows/groups/create-group-snapshot.test.ts'],
};

function operations(table: string, resource: string, file = STATUS): Mutation[] {
  const text = read(file);
  const begin = text.indexOf(`export const ${table} = {`);
  const end = text.indexOf('\n} as const satisfies', begin);
  const rows = [...text.slice(begin, end).matchAll(/^ {2}(\w+): \{(?:.*\},?$|\n(?: {4}.*\n)* {2}\},?$)/gm)];
  return rows.flatMap((row) => {
    const [whole, operation = ''] = row;
    const range = [begin + row.index, begin + row.index + whole.length] as const;
    const proof = PROOFS[`${resource} ${operation}`];
    const shown = { tests: whole.includes('from: []') ? (MADE[resource] ?? []) : ['test/commands/by-status.test.ts'] };
    const proven =
      proof === undefined
        ? shown
        : {
            tests: [proof],
            options: proof.startsWith('test/flows/') ? [`--test-name-pattern=SQLite|of a ${resource}`] : [],
          };
    const says = (what: string) => (part: string) => `${resource} ${operation}: ${what} is not ${part}`;
    return [
      ...each(
        file,
        /\bfrom: (\[.*?\]|\w+|'any')[,\n ]/,
        (part, { input, index }) =>
          part === '[]' ||
          whole.includes("from: 'any', during: [], success: 'as attached'") ||
          /also: \{ $/.test(input.slice(0, index))
            ? undefined
            : part === "'any'"
              ? `[${OTHER}]`
              : `[...${part}].slice(1)`,
        { ...shown, name: says('from') },
        range,
      ),
      ...each(
        file,
        /\balso: (\{ from: .*?\}|\w+),/,
        () => `{ from: [${OTHER}], when: '' }`,
        { ...shown, name: says('also') },
        range,
      ),
      ...each(file, /\bduring: \[('[\w-]+')/, () => OTHER, { ...shown, name: says('the first during') }, range),
      ...each(
        file,
        /\bduring: \['[\w-]+', ('[\w-]+')/,
        () => OTHER,
        { tests: ['test/flows/seeds.test.ts'], name: says('the second during') },
        range,
      ),
      ...['success', 'failure'].flatMap((end) =>
        each(
          file,
          new RegExp(`\\b${end}: ('[\\w -]+')`),
          (part) => (isStatus(part) ? OTHER : undefined),
          { ...(end === 'success' && whole.includes('during: []') ? shown : proven), name: says(end) },
          range,
        ),
      ),
      ...each(file, /\bmust: '([^']+)'/, (part) => `planted ${part}`, { ...shown, name: says('must') }, range),
    ];
  });
}
/** What several rows of the table of backups share. */
const comesToBe = (): Mutation[] =>
  ['during: \\[', 'success: ', 'failure: '].flatMap((what) =>
    each(BACKUP_STATUS, new RegExp(`^const COMES_TO_BE = .*\\b${what}('\\w+')`), () => OTHER, {
      name: (part) => `backup comes to be: ${/\w+/.exec(what)?.[0]} is not ${part}`,
      tests: ['test/flows/backups/create-backup.test.ts'],
      options: ['--test-name-pattern=SQLite|creating'],
    }),
  );

const statuses: Table = () => [
  ...comesToBe(),
  ...operations('VOLUME_TRANSITIONS', 'volume'),
  ...operations('SNAPSHOT_TRANSITIONS', 'snapshot'),
  ...operations('GROUP_TRANSITIONS', 'group', GROUP_STATUS),
  ...operations('GROUP_SNAPSHOT_TRANSITIONS', 'group snapshot', GROUP_STATUS),
  ...operations('BACKUP_TRANSITIONS', 'backup', BACKUP_STATUS),
];

/** The resource of a view, and the test of its fields. */
const testOf = (file: string): string => {
  const resource = basename(file, '.ts').replace(/-view$/, '');
  return `test/api/${resource.endsWith('s') ? resource : `${resource}s`}.test.ts`;
};
const views: Table = () =>
  below('src/api/v3').flatMap((file) =>
    each(file, /^\s+\[([A-Z_]+), '([\w:-]+)'/, (since) => (since === 'OLDEST' ? undefined : `${since} + 1`), {
      name: (since, [, , field]) => `${file}: ${field} is not shown from ${since} on`,
      tests: [testOf(file)],
    }),
  );

const RULES = 'src/api/policy/default-rules.ts';
/** A rule of another list. Those of what is not built are asked by nobody. */
const policy: Table = () => {
  const others = below('src')
    .filter((file) => file !== RULES)
    .map(read)
    .join('\n');
  const text = read(RULES);
  return ['READER', 'MEMBER', 'ADMIN'].flatMap((list) => {
    const begin = text.indexOf(`const ${list} = [`);
    const end = text.indexOf('] as const', begin);
    const other = list === 'READER' ? 'ADMIN' : 'READER';
    return each(
      RULES,
      /^ {2}'([\w:-]+)',$/,
      (rule) => (others.includes(`'${rule}'`) ? `planted:${rule}` : undefined),
      { name: (rule) => `${rule} is of ${other}, not of ${list}`, tests: ['test/api/policy.test.ts'] },
      [begin, end],
    ).map((mutation) => {
      const rule = text.slice(mutation.at, mutation.at + mutation.length);
      // The whole text is written: one list loses the rule, another gets it.
      const lost = text.slice(0, mutation.at) + mutation.by + text.slice(mutation.at + mutation.length);
      const by = lost.replace(`const ${other} = [`, `const ${other} = [\n  '${rule}',`);
      return { ...mutation, at: 0, length: text.length, by };
    });
  });
};

/** A filter by another name. */
const filters: Table = () =>
  below('src/api/v3').flatMap((file) =>
    each(file, /^ {2,4}('?[\w~]+'?): (?:\{ field: '\w+', as: |\w+Rule,$)/, () => 'planted', {
      name: (name) => `${file}: nothing is found by ${name}`,
      tests: ['test/api/every-filter.test.ts'],
      options: ['--test-name-pattern=SQLite'],
    }),
  );

/** An event by another name. */
const events: Table = () =>
  ['src/flows', 'src/commands'].flatMap(below).flatMap((file) =>
    each(
      file,
      /\b(?:tell(?:Volume|Snapshot|Attachments|Group|Backup)\(\s*tx,\s*|(?:volume|snapshot)Started\(|forget(?:Volume|Snapshot)\(.*)'([a-z_.]+)'/,
      () => 'planted',
      {
        name: (suffix) => `${file}: ${suffix} is not told`,
        tests: [
          'test/api/events.test.ts',
          'test/commands/volumes/delete-volume.test.ts',
          'test/commands/groups/groups.test.ts',
          'test/flows/backups/backup-progress.test.ts',
        ],
      },
    ),
  );

export const TABLES: Readonly<Record<string, Table>> = { flows, statuses, views, policy, filters, events };
