/** Moving in, and back: run, compare, turn, export; their options and help. */
import { type Command, Option } from 'commander';
import { withConfiguration } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { positiveNumber } from '../typed-numbers.ts';
import { withDecisions } from './source-flags.ts';

/** Which Cinder, and into which database. */
const withWhich = (command: Command): Command =>
  withDecisions(withConfiguration(command))
    .option('--from <url>', 'the Cinder database: mysql://USER@HOST/DATABASE or postgresql://…, without a password')
    .option('--cinder-conf <file>', 'its cinder.conf, which says without --from where the database is');

export function addMoves(group: Command, around: CliContext, exit: (code: number) => void): void {
  withWhich(group.command('run'))
    .description('fill the configured database from a Cinder’s, which may go on; as often as you like')
    .option('--batch <rows>', 'rows of a transaction', positiveNumber, 500)
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      '\nEach run writes what differs and removes what has gone; one that was broken off is gone on with. Nothing is served from' +
        '\nthe database meanwhile. Exit codes: 0 all is in, 3 rows were refused (each is named), 1 or 2 it cannot be done.',
    )
    .action(async (options) => exit(await (await import('./import-run.ts')).run(options, around)));

  group
    .command('compare')
    .description('read two services with one token, and tell each field that differs')
    .requiredOption('--cinder <url>', 'of Cinder, as a catalog has it: http://HOST:8776/v3/PROJECT')
    .requiredOption('--pumice <url>', 'of the rehearsal')
    .requiredOption('--token-file <file>', 'the token, the first line of a file')
    .option('--all-projects', 'of every project; the token is an administrator’s')
    .option('--ca <file>', 'certificates (PEM) that vouch for both, in place of the usual')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing differs but what is known to, 3 something does, 1 a service cannot be read.',
    )
    .action(async (options) => exit(await (await import('./import-compare.ts')).compare(options, around)));

  withWhich(group.command('turn'))
    .description('the last run; from then on this database is the one that is served')
    .option(
      '--writer <url>',
      'as whom Cinder wrote, when neither --cinder-conf nor --from says it: it must be shut out',
    )
    .option('--writer-password-file <file>', 'holds the password of that user')
    .option('--accept-findings', 'turn although the doctor found something')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      '\nCinder must be at rest: nothing in a transient status, nothing in its table workers, and the user that it wrote as shut' +
        '\nout. What fails before the mark leaves Cinder as it was: start it again. Exit codes: 0 turned; 3 not, rows were refused' +
        '\nor the doctor found something; 1 or 2 not, it cannot be done.',
    )
    .action(async (options) => exit(await (await import('./import-turn.ts')).turn(options, around)));
}

/** And back. */
export function addExport(program: Command, around: CliContext, exit: (code: number) => void): void {
  withDecisions(withConfiguration(program.command('export')))
    .description(
      'bring back into the Cinder database that was imported what has changed since; nothing is served meanwhile',
    )
    .argument('<url>', 'that database: mysql://USER@HOST/DATABASE or postgresql://USER@HOST/DATABASE')
    .addOption(new Option('--to <what>', 'what it goes to').choices(['cinder']).makeOptionMandatory())
    .option('--leave', 'leave out what Cinder cannot hold: backups and transfers that were made here')
    .option('--dry-run', 'say what would be written, and write nothing')
    .option('--json', 'for programs')
    .addHelpText('after', '\nIt is one transaction. Exit codes: 0 it is written, all that differed; 1 or 2 nothing is.')
    .action(async (url, options) =>
      exit(await (await import('./export-cinder.ts')).exportToCinder(url, options, around)),
    );
}
