/**
 * A `tgtadm` that prints nonsense, fails as it likes, or shows what is not so: exports end with a value or an error of ours, and
 * never take what they cannot read for "there is none".
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { IscsiExports } from '../../../src/drivers/exports/iscsi-exports.ts';
import { UnreadableAnswer } from '../../../src/drivers/exports/tgt-show.ts';
import { TargetDaemonFailed, Tgtd } from '../../../src/drivers/exports/tgtd.ts';
import { CommandFailed, type Exec, exec } from '../../../src/lib/exec.ts';
import { ConsistentSnapshotRefused, DriverFailed, LiveMoveRefused } from '../../../src/model/errors.ts';
import { inTime } from '../../in-time.ts';
import { escaped } from '../../uncaught.ts';

const PORTAL = '127.0.0.1:3260';
const PREFIX = 'iqn.2010-10.org.openstack:';
const VOLUME = '11111111-2222-4333-8444-555555555555';
const ATTACHMENT = '66666666-7777-4888-9999-aaaaaaaaaaaa';
const INITIATOR = 'iqn.1993-08.org.debian:01:a';

const ref = {
  attachmentId: ATTACHMENT,
  volume: { id: VOLUME } as never,
  connector: { initiator: INITIATOR },
  readOnly: false,
  secret: 'a-secret',
};

const exportsWith = (run: Exec): IscsiExports =>
  new IscsiExports({ daemon: new Tgtd({ exec: run, own: null, portal: PORTAL }), prefix: PREFIX, portal: PORTAL });

/** As tgtadm shows one of ours, with a session. */
const SHOWN = `Target 1: ${PREFIX}volume-${VOLUME}.${ATTACHMENT}
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 3
            Initiator: ${INITIATOR} alias: none
            Connection: 0
                IP Address: 127.0.0.1
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     00010000
            Online: Yes
            Backing store path: None
        LUN: 1
            Type: disk
            SCSI ID: ${VOLUME.replaceAll('-', '')}
            Online: Yes
            Readonly: No
            Backing store path: /v
    Account information:
        ${ATTACHMENT.replaceAll('-', '')}
    ACL information:
        ${INITIATOR}
`;

const lines = SHOWN.split('\n');
const printed = fc.oneof(
  fc.constant(SHOWN),
  fc.constant(''),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.shuffledSubarray(lines).map((some) => some.join('\n')),
  fc.nat(SHOWN.length).map((end) => SHOWN.slice(0, end)),
  fc
    .array(fc.tuple(fc.nat(SHOWN.length), fc.string({ maxLength: 3 })), { minLength: 1, maxLength: 4 })
    .map((places) => places.reduce((text, [at, by]) => text.slice(0, at) + by + text.slice(at + 1), SHOWN)),
);
const reply = fc.oneof(
  { weight: 5, arbitrary: printed.map((text) => ({ text })) },
  { weight: 1, arbitrary: fc.record({ code: fc.integer({ min: 1, max: 255 }), stderr: fc.string() }) },
);
const CALLS = ['ensure', 'remove', 'list', 'grown', 'quiesce', 'hold'] as const;
const call = fc.constantFrom(...CALLS);

const asked = (exports: IscsiExports, what: (typeof CALLS)[number], signal: AbortSignal) =>
  ({
    ensure: () => exports.ensure('/v', ref, signal),
    remove: () => exports.remove(ATTACHMENT, signal),
    list: () => exports.list(signal),
    grown: () => exports.grown('/v', signal),
    quiesce: () => exports.quiesce({ paths: ['/v'], limitMs: 1 }, async () => {}, signal),
    hold: () => exports.hold({ path: '/v', limitMs: 1 }, signal),
  })[what]();

describe('exports beside a false tgtadm', () => {
  test('end with a value or an error of ours, and tell no secret', async () => {
    await fc.assert(
      fc.asyncProperty(call, fc.array(reply, { minLength: 1, maxLength: 8 }), async (what, replies) => {
        let asks = 0;
        // Sessions that never end are waited for; the caller's patience ends it here.
        const patience = new AbortController();
        const run: Exec = async (argv) => {
          if (asks > 60) patience.abort(new Error('enough'));
          const given = replies[asks++ % replies.length] as { text: string } | { code: number; stderr: string };
          patience.signal.throwIfAborted();
          if ('code' in given) throw new CommandFailed(argv, given.code, given.stderr, false);
          return given.text;
        };
        const errors = await escaped(async () => {
          await inTime(what, asked(exportsWith(run), what, patience.signal) as Promise<unknown>).catch(
            (error: unknown) => {
              if (error === patience.signal.reason) return;
              const refused = error instanceof ConsistentSnapshotRefused || error instanceof LiveMoveRefused;
              assert.ok(error instanceof DriverFailed || refused, String(error));
              assert.doesNotMatch(error.message, /a-secret/);
            },
          );
        });
        assert.deepEqual(errors, []);
      }),
      { numRuns: 400 },
    );
  });

  for (const what of CALLS) {
    test(`take nothing for an empty list that they cannot read (${what})`, async () => {
      const run: Exec = async () => 'The daemon is busy, come again\n';
      const { signal } = new AbortController();
      await assert.rejects(asked(exportsWith(run), what, signal) as Promise<unknown>, UnreadableAnswer);
    });

    test(`take no list for whole that is cut short (${what})`, async () => {
      const run: Exec = async (argv) => (argv.includes('account') ? '' : SHOWN.slice(0, SHOWN.indexOf('    ACL')));
      const { signal } = new AbortController();
      await assert.rejects(asked(exportsWith(run), what, signal) as Promise<unknown>, UnreadableAnswer);
    });
  }

  test('wait for no program that never ends, and hear out none that never stops', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-tgtadm-'));
    try {
      const program = join(directory, 'tgtadm');
      const run: Exec = ([, ...args], options) => exec([program, ...args], { ...options, timeoutMs: 200 });
      const { signal } = new AbortController();
      for (const script of ['exec sleep 1000', 'exec yes', 'echo x; kill -SEGV $$']) {
        await writeFile(program, `#!/bin/sh\n${script}\n`);
        await chmod(program, 0o755);
        await assert.rejects(inTime(script, exportsWith(run).list(signal)), TargetDaemonFailed);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
