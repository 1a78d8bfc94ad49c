/** `pumice import check`, its options and help. */
import type { Command } from 'commander';
import { withConfiguration } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { withDecisions } from './source-flags.ts';

export function addCheck(group: Command, around: CliContext, exit: (code: number) => void): void {
  withDecisions(withConfiguration(group.command('check')))
    .description('look whether a Cinder’s rows can come in, one by one; writes nothing, and Cinder may go on')
    .option('--from <url>', 'the Cinder database: mysql://USER@HOST/DATABASE or postgresql://…, without a password')
    .option('--cinder-conf <file>', 'says what no table holds, and without --from where the database is')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      '\nWith --config or --data the backends of that configuration are listed, and compared with the names that rows have there.' +
        '\nExit codes: 0 every row comes in; 1 some are kept out until an option says how they come in; 2 some cannot come in,' +
        '\nor nothing could be read.',
    )
    .action(async (options) => exit(await (await import('./import-check.ts')).importCheck(options, around)));
}
