/** The Cinder that is imported, as it is typed: where its database is, and what is decided of it. The same of every command about it. */
import { type Command, InvalidArgumentError } from 'commander';

export interface SourceFlags {
  readonly from: string;
  readonly passwordFile?: string;
  readonly mapHost: readonly (readonly [from: string, to: string])[];
  readonly adoptType?: string;
  readonly revive?: boolean;
  readonly missingAsError?: boolean;
  readonly anyRevision?: boolean;
}

export const withSource = (command: Command): Command =>
  withDecisions(
    command.requiredOption(
      '--from <url>',
      'the Cinder database: mysql://USER@HOST/DATABASE or postgresql://…, without a password',
    ),
  );

/** But for where it is. */
export const withDecisions = (command: Command): Command =>
  command
    .option('--password-file <file>', 'its password, the first line of a file')
    .option(
      '--map-host <from=to>',
      'which of Cinder’s HOST@BACKEND is which here; may be repeated. Hosts of the same name need none',
      oneMore,
      [],
    )
    .option('--adopt-type <type>', 'the type of volumes whose own was never there: id or name')
    .option('--revive', 'deleted volumes whose snapshots live come back as errors')
    .option('--missing-as-error', 'rows whose backend has nothing of their name come in as errors; backends are listed')
    .option('--any-revision', 'read a schema that nobody has tried, when all columns are there');

type Pair = readonly [from: string, to: string];

function oneMore(text: string, before: readonly Pair[]): readonly Pair[] {
  const at = text.indexOf('=');
  const pair = [text.slice(0, at), text.slice(at + 1)] as const;
  if (at < 0 || !pair.every((each) => each.includes('@')))
    throw new InvalidArgumentError('It is HOST@BACKEND=HOST@BACKEND.');
  return [...before, pair];
}
