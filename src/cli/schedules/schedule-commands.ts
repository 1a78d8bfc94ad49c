/** `pumice backups schedule …`: the commands about schedules of backups, and their options. */
import { type Command, InvalidArgumentError } from 'commander';
import { withConfiguration } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { count } from '../typed-numbers.ts';

export function addSchedules(backups: Command, around: CliContext, exit: (code: number) => void): void {
  const schedule = backups
    .command('schedule')
    .description(
      'back up volumes again and again, and delete what is not to be kept; works while a server runs, and without one',
    );

  withRule(
    withConfiguration(schedule.command('add'))
      .description('make a schedule, of one volume, of all of a type or of all of a project')
      .argument('<name>', 'how it is called; its backups are called so, with the time', nameOfSchedule)
      .option('--volume <id>', 'of this volume: its id, the beginning of it, or its name')
      .option('--type <name>', 'of all volumes of this type, each in its own project')
      .option('--project <id>', 'of all volumes of this project'),
  )
    .addHelpText('after', TIMES_HELP)
    .action(async (name, options) =>
      exit(await (await import('./keep-schedule.ts')).addSchedule(name, options, around)),
    );

  withRule(
    withConfiguration(schedule.command('change'))
      .description('change when it runs, what it keeps and how it makes backups; what is not said stays')
      .argument('<name>', 'the schedule'),
  )
    .option('--no-force', 'not of volumes in use')
    .addHelpText('after', TIMES_HELP)
    .action(async (name, options) =>
      exit(await (await import('./keep-schedule.ts')).changeSchedule(name, options, around)),
    );

  withConfiguration(schedule.command('list'))
    .description('the schedules, with their last and their next run')
    .option('--json', 'for programs')
    .action(async (options) => exit(await (await import('./list-schedules.ts')).listAllSchedules(options, around)));

  withConfiguration(schedule.command('show'))
    .description('what a schedule does, when it runs next, and how its last run went')
    .argument('<name>', 'the schedule')
    .option('--json', 'for programs')
    .action(async (name, options) =>
      exit(await (await import('./show-schedule.ts')).showSchedule(name, options, around)),
    );

  withConfiguration(schedule.command('run'))
    .description('let a schedule run now, besides when it would')
    .argument('<name>', 'the schedule')
    .action(async (name, options) =>
      exit(await (await import('./keep-schedule.ts')).runSchedule(name, options, around)),
    );

  withConfiguration(schedule.command('remove'))
    .description('remove a schedule; its backups stay, and are somebody’s to delete')
    .argument('<name>', 'the schedule')
    .action(async (name, options) =>
      exit(await (await import('./keep-schedule.ts')).removeSchedule(name, options, around)),
    );
}

const TIMES_HELP = `
TIMES are the five fields of cron (minute, hour, day of the month, month, day of the week), or hourly, daily, weekly (on
Sundays) or monthly (on the first), all but the first with "at 02:00" where midnight is not meant.`;

/** What both say, that make a schedule and that change one. */
const withRule = (command: Command): Command =>
  command
    .option('--times <times>', 'when it runs: "30 2 * * *", or "daily at 02:30"')
    .option('--zone <zone>', 'in which time zone that is meant: Europe/Berlin (a new one: UTC)')
    .option('--keep-last <n>', 'keep the newest of each volume', count)
    .option('--keep-daily <n>', 'keep the newest of each of so many days', count)
    .option('--keep-weekly <n>', 'of so many weeks', count)
    .option('--keep-monthly <n>', 'of so many months', count)
    .option(
      '--full-every <n>',
      'store all with every so many, else only what has changed; 0: all only the first time',
      count,
    )
    .option('--store <name>', 'into this store of the configuration')
    .option('--force', 'of volumes in use, too');

/** With the time it is the name of a backup. */
function nameOfSchedule(text: string): string {
  if (text === '' || text.length > 200 || /\p{Cc}/u.test(text))
    throw new InvalidArgumentError('It is a text of 1 to 200 letters.');
  return text;
}
