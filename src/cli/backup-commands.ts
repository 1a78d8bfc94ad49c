/** The orders about backups of the command line: each a file of its own, loaded when it is called. */
import { type Command, Option } from 'commander';
import { withConfiguration } from './configuration.ts';
import type { CliContext } from './context.ts';
import { percentage, sizeOf } from './typed-numbers.ts';

export function addBackupOrders(backups: Command, around: CliContext, exit: (code: number) => void): void {
  withConfiguration(backups.command('verify'))
    .description('look at a backup in its store, and keep what is found; a server does it, and goes on when you leave')
    .argument('<id>', 'its id, the beginning of it, or its name')
    .addOption(
      new Option('--depth <depth>', 'that its packs are there; each of their bytes; that each chunk can be read, too')
        .choices(['present', 'packs', 'chunks'])
        .default('packs'),
    )
    .option('--sample <percent>', 'read so much of it, chosen at random: 5%', percentage)
    .option('--budget <size>', 'stop when so much was read, and go on there the next time: 10GiB', sizeOf)
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing is damaged, 3 something is; `show` tells again what. 130 you left; it goes on.',
    )
    .action(async (id, options) =>
      exit(await (await import('./backups-verify.ts')).verifyByOrder(id, options, around)),
    );

  withConfiguration(backups.command('adopt'))
    .description('make the backups that a real Cinder has put into a store backups of a project here; none is copied')
    .argument('<store>', 'its name in [backup_stores] of the configuration')
    .requiredOption('--project <id>', 'whose they become')
    .addHelpText(
      'after',
      '\nA server looks at each then: `list` shows it. Exit codes: 0 each was taken, or is known already; 1 some cannot be read.',
    )
    .action(async (store, options) =>
      exit(await (await import('./backups-adopt.ts')).adoptCinders(store, options, around)),
    );

  withConfiguration(backups.command('restore'))
    .description('restore a backup into a volume that is there, and overwrite what it holds; a server does it')
    .argument('<id>', 'its id, the beginning of it, or its name')
    .requiredOption('--to <volume>', 'the volume: its id, the beginning of it, or its name')
    .option('--skip-damaged', 'leave out what cannot be read, say which bytes that are, and have zeroes in their place')
    .addHelpText(
      'after',
      '\nExit codes: 0 all of it is in the volume; 1 it is refused, or has failed; 3 something was left out; 130 you left; it goes on.',
    )
    .action(async (id, options) =>
      exit(await (await import('./backups-restore.ts')).restoreByOrder(id, options, around)),
    );

  withConfiguration(backups.command('retry'))
    .description('begin a backup again that failed for its store’s sake; what it had stored is not stored again')
    .argument('<id>', 'its id, the beginning of it, or its name')
    .option('--force', 'of a volume in use, too')
    .addHelpText(
      'after',
      '\nIt then holds what its volume does now. Exit codes: 0 it is available; 1 it is refused, or has failed; 130 you left; it goes on.',
    )
    .action(async (id, options) => exit(await (await import('./backups-retry.ts')).retryByOrder(id, options, around)));
}
