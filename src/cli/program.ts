/**
 * The command line of `pumice`: commands, their options and help. A command is a file of its own, loaded when it is called: a
 * list of flows need not wait for the HTTP server to load.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { FLOW_STATES, type Wish } from '../engine/journal.ts';
import { addBackupOrders } from './backup-commands.ts';
import { DATA_DIRECTORY, withConfiguration, withSet } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { addImport } from './import/import-commands.ts';
import { addExport } from './import/move-commands.ts';
import type { ResourceKind, ResourceRow } from './resources/kind.ts';
import { addSchedules } from './schedules/schedule-commands.ts';
import { positiveNumber } from './typed-numbers.ts';

/** Resolves with the exit code. */
export async function run(argv: readonly string[], around: CliContext): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = commands(around, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end well; everything else commander throws is about what was typed.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 the doctor found something, 70 ended by an error that
nobody caught, 75 PostgreSQL cannot be reached or was lost (serve again), 130 interrupted.`;

function commands(around: CliContext, exit: (code: number) => void): Command {
  const program = new Command('pumice')
    .description('Block storage that cannot be sunk: OpenStack’s Block Storage API v3, every operation a durable flow.')
    .version(around.version)
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(--help tells more)')
    .configureOutput({
      writeOut: (text) => around.out.line(text.trimEnd()),
      writeErr: (text) => around.err.line(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, 'pumice: ')),
      getOutHelpWidth: () => Math.min(around.out.width, 100),
      getErrHelpWidth: () => Math.min(around.err.width, 100),
    })
    .exitOverride();

  withConfiguration(program.command('serve'))
    .description('serve the API until interrupted; the log goes to standard error')
    .action(async (options) => exit(await (await import('./serve.ts')).serve(options, around)));

  withSet(program.command('start'))
    .description('serve on a configuration of its own, and show what it does: a trial that needs nothing')
    .option('-d, --data <dir>', 'where everything is kept', DATA_DIRECTORY)
    .option('-p, --port <port>', 'port to listen on; 0: any free one', portNumber)
    .option('--host <address>', 'address to listen on')
    .option('--no-demo', 'only serve')
    .action(async (options) => exit(await (await import('./start.ts')).start(options, around)));

  addFlows(program, around, exit);
  addResources(program, around, exit);
  addBackupStore(program, around, exit);
  addImport(program, around, exit);
  addExport(program, around, exit);

  withConfiguration(program.command('top'))
    .description('flows, copies and pools, live; once where the output is no terminal')
    .option('--json', 'once, as one line for programs')
    .action(async (options) => exit(await (await import('./top.ts')).top(options, around)));

  withConfiguration(program.command('sinks'))
    .description('where events go: what each took last, since when it fails, when it is tried again')
    .option('--json', 'for programs')
    .action(async (options) => exit(await (await import('./sinks.ts')).listSinks(options, around)));

  withConfiguration(program.command('why'))
    .description('why something is not done: what, since when, how far, what it waits for, what failed last, what next')
    .argument('<id>', 'of a volume, snapshot, group, backup, attachment, flow or request')
    .option('--json', 'for programs')
    .action(async (id, options) => exit(await (await import('./why.ts')).why(id, options, around)));

  withConfiguration(program.command('doctor'))
    .description('look for what must not be: wrong counts, leftovers, orphans, flows that do not move')
    .option('--repair', 'put right what can be put right without risk')
    .option('--older-than <minutes>', 'how long a flow or an event may stand still', positiveNumber, 10)
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      '\n--repair counts usage again, drops reservations and holds of ended flows, and gives what is in a transient status' +
        '\nwithout a flow the status of a failure. It deletes no volume and no snapshot, on a backend or in the database.' +
        '\nExit codes: 0 all is well (or repaired), 3 something is left.',
    )
    .action(async (options) => exit(await (await import('./doctor.ts')).doctor(options, around)));

  const database = program.command('database').description('move what Pumice knows to another database');
  withConfiguration(database.command('copy'))
    .description('copy a SQLite database into the configured one of PostgreSQL; no server may run on either')
    .requiredOption('--from <file>', 'the SQLite database')
    .addHelpText(
      'after',
      '\nThe target must be empty. It is one transaction there: whatever ends it leaves the target as it was.',
    )
    .action(async (options) => exit(await (await import('./database-copy.ts')).databaseCopy(options, around)));

  program
    .command('passwd')
    .description('print the hash of a password, for [identity] of the configuration')
    .addHelpText('after', '\nThe password is asked for, or is the first line of standard input.')
    .action(async () => exit(await (await import('./passwd.ts')).passwd(around)));
  return program;
}

function addFlows(program: Command, around: CliContext, exit: (code: number) => void): void {
  const flows = program
    .command('flows')
    .description('look at flows, and say what is to become of them; works while a server runs, and without one');

  withConfiguration(flows.command('list'))
    .description('the flows in flight, newest first')
    .option('-a, --all', 'those that have ended, too')
    .addOption(new Option('--state <state>', 'only these').choices(FLOW_STATES))
    .option('--resource <resource>', 'only of this volume or snapshot: volume:ID, snapshot:ID or ID')
    .option('--project <id>', 'only of this project')
    .option('--limit <n>', 'at most so many', positiveNumber, 50)
    .option('--json', 'for programs')
    .action(async (options) => exit(await (await import('./flows-list.ts')).listFlows(options, around)));

  withConfiguration(flows.command('show'))
    .description('what a flow did, what it does and since when, why it failed, what comes next')
    .argument('<id>', 'its id, or the beginning of it')
    .option('--json', 'for programs')
    .action(async (id, options) => exit(await (await import('./flows-show.ts')).showFlow(id, options, around)));

  withConfiguration(flows.command('watch'))
    .description('flows as they go on, drawn again every second; lines where the output is no terminal')
    .argument('[ids...]', 'only these, until they have ended: the id of each, or the beginning of it')
    .option('--project <id>', 'of those in flight only the ones of this project')
    .addHelpText(
      'after',
      '\nExit codes: 0 all that were named have ended, however; 130 it was left before, with q or Ctrl-C.',
    )
    .action(async (ids, options) => exit(await (await import('./flows-watch.ts')).watchFlows(ids, options, around)));

  const wishes: Readonly<Record<Wish, string>> = {
    resume: 'try the failed revert of a stuck flow again',
    abandon: 'give up the revert a flow is stuck in, with what it has not undone, and go on with the others',
    revert:
      'take a flow back, even one that destroys and only goes forward; a revert that waits for a silent backend is stuck then',
    cancel: 'stop a flow at the next task and take it back; one that destroys goes on',
  };
  for (const [wish, meaning] of Object.entries(wishes)) {
    withConfiguration(flows.command(wish))
      .description(meaning)
      .argument('<id>', 'its id, or the beginning of it')
      .option('--reason <text>', 'is kept with the flow')
      .option('--wait', 'until it has ended, or is stuck')
      .option('--json', 'for programs')
      .action(async (id, options) =>
        exit(await (await import('./flows-wish.ts')).orderFlow(wish as Wish, id, options, around)),
      );
  }
}

/** What can be looked at like flows, each with what is at work on it. */
const RESOURCES: Readonly<Record<string, () => Promise<ResourceKind<ResourceRow>>>> = {
  volume: async () => (await import('./resources/volumes.ts')).volumes,
  snapshot: async () => (await import('./resources/snapshots.ts')).snapshots,
  group: async () => (await import('./resources/groups.ts')).groups,
  backup: async () => (await import('./resources/backups.ts')).backups,
};

function addBackupStore(program: Command, around: CliContext, exit: (code: number) => void): void {
  const store = program.command('backup-store').description('look into stores of backups, and change their keys');

  withConfiguration(store.command('cat'))
    .description('write the bytes of a backup to standard output')
    .argument(
      '<manifest>',
      'its manifest: STORE/scopes/SCOPE/manifests/BACKUP, where the store is a directory; of a backup that Cinder has made its metadata: PREFIX_metadata',
    )
    .option('-s, --store <name>', 'a section [backup_stores.NAME] of the configuration; the manifest is in there')
    .option('-k, --key <id=file>', 'a key of encrypted backups; may be said more than once', gathered, [])
    .addHelpText(
      'after',
      '\nZeroes are written, too: pipe it into `dd of=DISK bs=1M iflag=fullblock conv=sparse` to leave them out.',
    )
    .action(async (manifest, options) =>
      exit(await (await import('./backup-store-cat.ts')).backupStoreCat(manifest, options, around)),
    );

  withConfiguration(store.command('scrub'))
    .description('look at all backups of a store, and keep what is found; works while a server runs, and without one')
    .argument('<store>', 'its name in [backup_stores] of the configuration')
    .addOption(
      new Option('--depth <depth>', 'that packs are there; each of their bytes; that each chunk can be read, too')
        .choices(['present', 'packs', 'chunks'])
        .default('packs'),
    )
    .option('--orphans', 'list the store, and tell which packs nobody needs')
    .option('--remove', 'remove those')
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing is damaged, 1 some scope could not be looked at, 3 something is damaged.',
    )
    .action(async (name, options) =>
      exit(await (await import('./backup-store-scrub.ts')).backupStoreScrub(name, options, around)),
    );

  withConfiguration(store.command('rekey'))
    .description('wrap the keys of all encrypted scopes with another key of [backup_keys]; works while a server runs')
    .argument('<key>', 'the id of the key')
    .addHelpText('after', '\nThe keys of before must be there, too. What the stores hold stays as it is.')
    .action(async (key, options) =>
      exit(await (await import('./backup-store-rekey.ts')).backupStoreRekey(key, options, around)),
    );
}

const gathered = (value: string, before: readonly string[]): readonly string[] => [...before, value];

function addResources(program: Command, around: CliContext, exit: (code: number) => void): void {
  for (const [word, load] of Object.entries(RESOURCES)) {
    const resources = program
      .command(`${word}s`)
      .description(`look at ${word}s and what is at work on them; works while a server runs, and without one`);

    withConfiguration(resources.command('list'))
      .description(`the ${word}s, newest first, with what each is doing and since when`)
      .option('--status <status>', 'only these')
      .option('--project <id>', 'only of this project')
      .option('--host <host>', 'only on this host: node, node@backend or node@backend#pool')
      .option('--limit <n>', 'at most so many', positiveNumber, 50)
      .option('--json', 'for programs')
      .action(async (options) =>
        exit(await (await import('./resources/list-resources.ts')).listResources(await load(), options, around)),
      );

    withConfiguration(resources.command('show'))
      .description(`what a ${word} is, what is at work on it, how far, and what that waits for`)
      .argument('<id>', 'its id, the beginning of it, or its name')
      .option('--json', 'for programs')
      .action(async (id, options) =>
        exit(await (await import('./resources/show-resource.ts')).showResource(await load(), id, options, around)),
      );
    if (word === 'backup') {
      addSchedules(resources, around, exit);
      addBackupOrders(resources, around, exit);
    }
  }
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('It is a number from 0 to 65535.');
  return port;
}
