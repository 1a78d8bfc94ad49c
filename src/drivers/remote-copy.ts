/**
 * A copy of a volume that another machine has opened to this one over iSCSI: read by `qemu-img`, which is told the secret by its standard
 * input. What the other file has no data for is not sent, and costs nothing of the rate.
 *
 * The initiator inside `qemu-img` (libiscsi) never gives up: when the target is gone it would try to log in for ever, with no error and
 * no end. So somebody else logs in now and then, and when that fails some times in a row the copy is ended.
 */
import { pause } from '../lib/clock.ts';
import { CommandFailed, type Exec } from '../lib/exec.ts';
import { DriverFailed } from '../model/errors.ts';
import type { DriverCall } from './driver.ts';
import { atRate, CONVERSION_LIMITS, canBeDirect, progressOf, withinMs } from './qemu-img.ts';
import type { OpenedSource } from './remote-source.ts';

const LOOK_MS = 5_000;
const ANSWER_MS = 10_000;
const LOOKS = 3;

/** Writes into `target`, a file of the same size without any data. `bytesPerSecond`: 0 is no limit. */
export async function copyRemote(
  exec: Exec,
  source: OpenedSource,
  target: string,
  bytesPerSecond: number,
  call: DriverCall,
  lookMs = LOOK_MS,
): Promise<void> {
  const ended = new AbortController();
  const gone = new AbortController();
  const watching = watch(exec, source, lookMs, ended.signal, gone);
  try {
    await exec(copyArgv(source, target, { direct: await canBeDirect(target), bytesPerSecond }), {
      timeoutMs: withinMs(CONVERSION_LIMITS.timeoutMs, { bytesPerSecond, bytes: source.bytes }),
      signal: AbortSignal.any([call.signal, gone.signal]),
      input: source.secret,
      onOutput: progressOf(source.dataBytes, call),
    });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw unread(source, error);
  } finally {
    ended.abort();
    await watching;
  }
}

/** Until `ended`. Aborts `gone` when the source does not answer. */
async function watch(
  exec: Exec,
  source: OpenedSource,
  lookMs: number,
  ended: AbortSignal,
  gone: AbortController,
): Promise<void> {
  for (let silent = 0; ; ) {
    await pause(lookMs, ended).catch(() => {});
    if (ended.aborted) return;
    try {
      await exec(infoArgv(source), { signal: ended, timeoutMs: ANSWER_MS, input: source.secret });
      silent = 0;
    } catch (error) {
      if (ended.aborted) return;
      silent += 1;
      if (silent < LOOKS) continue;
      gone.abort(unread(source, error));
      return;
    }
  }
}

const unread = ({ portal, target }: OpenedSource, cause: unknown): DriverFailed =>
  new DriverFailed(
    `${target} at ${portal} cannot be read from here: its machine must be reached there (target_ip_address), and qemu-img must know iSCSI (Debian's package is qemu-block-extra).`,
    { cause },
  );

type Argv = readonly [string, ...string[]];

export const copyArgv = (
  source: OpenedSource,
  target: string,
  { direct, bytesPerSecond }: { readonly direct: boolean; readonly bytesPerSecond: number },
): Argv => [
  ...READING_SECRET,
  'convert',
  '-p',
  '-n',
  '--target-is-zero',
  ...(direct ? ['-t', 'none'] : []),
  ...atRate(bytesPerSecond),
  ...SECRET,
  '-O',
  'raw',
  '-S',
  '4k',
  '--image-opts',
  '--',
  optionsOf(source),
  target,
];

export const infoArgv = (source: OpenedSource): Argv => [
  ...READING_SECRET,
  'info',
  '--output=json',
  ...SECRET,
  '--image-opts',
  '--',
  optionsOf(source),
];

/** It opens its standard input by name, and that must be a pipe: what Node gives is a socket, which has none. */
const READING_SECRET = ['sh', '-c', 'cat | qemu-img "$@"', 'sh'] as const;
const SECRET = ['--object', 'secret,id=chap,format=raw,file=/dev/stdin'] as const;

/** A comma is doubled in it. */
function optionsOf({ portal, target, lun, initiator, user }: OpenedSource): string {
  const options = {
    driver: 'raw',
    'file.driver': 'iscsi',
    'file.transport': 'tcp',
    'file.portal': portal,
    'file.target': target,
    'file.lun': String(lun),
    'file.initiator-name': initiator,
    'file.user': user,
    'file.password-secret': 'chap',
  };
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value.replaceAll(',', ',,')}`)
    .join(',');
}
