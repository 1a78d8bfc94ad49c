/**
 * The long works, as their child process does them: an order comes in as JSON on its standard input, a line of JSON goes out for each
 * thing to tell, and the last says how it ended.
 */
import { CLOCK } from '../lib/clock.ts';
import type { Exec } from '../lib/exec.ts';
import type { Copied } from '../lib/progress.ts';
import { PumiceError } from '../model/errors.ts';
import type {
  Bite,
  CinderRestoreOrder,
  CopyOrder,
  CopyOutcome,
  CopyWatch,
  LookedPack,
  RestoreOrder,
  RestoreOutcome,
  RestoreWatch,
  VerifyOrder,
  VerifyOutcome,
  VerifyWatch,
} from './backups.ts';
import { copy } from './copy/copy.ts';
import { restore } from './restore/restore.ts';
import { openScope } from './scope.ts';
import { patient } from './stores/patient-store.ts';
import { sayingNeeds } from './stores/saying-needs.ts';
import type { StoreOpener } from './stores/store-at.ts';
import { verify } from './verify.ts';

export type BackupWork =
  | { readonly work: 'copy'; readonly order: CopyOrder }
  | { readonly work: 'restore'; readonly order: RestoreOrder }
  | { readonly work: 'restore_cinder'; readonly order: CinderRestoreOrder }
  | { readonly work: 'verify'; readonly order: VerifyOrder };

export type Told =
  | { readonly bite: Bite }
  | { readonly done: number }
  | { readonly looked: LookedPack }
  | { readonly progress: number; readonly copied?: Copied }
  | { readonly waiting: string | null }
  | { readonly ended: CopyOutcome | RestoreOutcome | VerifyOutcome | null }
  | { readonly failed: WorkFailure };

export interface WorkFailure {
  readonly name: string;
  readonly message: string;
  /** Its cause in words; of what is no error of the catalogue, where it comes from. */
  readonly reason: string | null;
}

/** How often it is told that it lives. */
const BEAT_MS = 1_000;

/** Tells of everything, at last of its end; resolves after that. */
export async function doWork(
  { work, order }: BackupWork,
  tell: (told: Told) => void,
  around: { readonly exec: Exec; readonly storeAt: StoreOpener; readonly signal: AbortSignal },
): Promise<void> {
  const { exec, storeAt, signal } = around;
  let progress = 0;
  let copied: Copied | undefined;
  // Of all attempts and tries: what is told to be done was stored by any of them.
  let storedBytes = 0;
  if (work === 'copy') for (const { bytes } of [...order.bites, ...(order.earlier ?? [])]) storedBytes += bytes;
  const beat = setInterval(() => tell({ progress, ...(copied && { copied }) }), BEAT_MS);
  const watch: CopyWatch & RestoreWatch & VerifyWatch = {
    signal,
    progress: (fraction, bytes) => {
      progress = fraction;
      copied = bytes;
    },
    waiting: (waiting) => tell({ waiting }),
    bite: (bite) => {
      storedBytes += bite.bytes;
      tell({ bite });
    },
    done: (done) => tell({ done }),
    looked: (looked) => tell({ looked }),
  };
  try {
    // Of what was stored until now the rest is guessed. It is no more than there is.
    const needs = (bytes: number): number => {
      const rest = (storedBytes + bytes) / Math.max(progress, 0.01) - storedBytes;
      const most = copied === undefined ? rest : copied.of - copied.bytes + bytes;
      return Math.max(bytes, Math.min(rest, most));
    };
    const open = work === 'restore_cinder' ? (await import('./cinder/cinder-store.ts')).cinderStoreAt : storeAt;
    const store = patient(sayingNeeds(await open(order.place.store), needs), {
      clock: CLOCK,
      patienceMs: order.patienceMs,
      waiting: (why) => watch.waiting(why),
    });
    if (work === 'restore_cinder') {
      await (await import('./cinder/restore-cinder.ts')).restoreCinder(store, order, watch, exec);
      tell({ ended: null });
      return;
    }
    const scope = await openScope(order.place, store, signal);
    switch (work) {
      case 'copy':
        tell({ ended: await copy(scope, order, watch, exec) });
        break;
      case 'restore':
        tell({ ended: await restore(scope, order, watch, exec) });
        break;
      case 'verify':
        tell({ ended: await verify(scope, order, watch) });
        break;
    }
  } catch (error) {
    const { name, message, stack, cause } = error instanceof Error ? error : new Error(String(error));
    const reason = cause instanceof Error ? cause.message : null;
    tell({ failed: { name, message, reason: error instanceof PumiceError ? reason : (stack ?? null) } });
  } finally {
    clearInterval(beat);
  }
}
