/**
 * What must not compile. Each directive is a proof: remove the mistake below it and the type check complains of an
 * unused directive.
 */
import type { Engine } from '../../src/engine/engine.ts';
import { flowsOver } from '../../src/engine/flow.ts';
import { tasksOver } from '../../src/engine/task.ts';
import type { RowTx } from './memory-journal.ts';

const { world, record } = tasksOver<object, RowTx>();
const flow = flowsOver<object, RowTx>();

interface VolumeRef {
  readonly id: string;
  readonly sizeGiB: number;
}
const ExtractRef = record({
  name: 'extract_ref',
  execute: ({ volumeId }: { volumeId: string }) => ({
    volume: { id: volumeId, sizeGiB: 1 } satisfies VolumeRef as VolumeRef,
  }),
});
const QuotaReserve = record({
  name: 'quota_reserve',
  execute: ({ volume }: { volume: VolumeRef }) => ({ reservations: [volume.id] }),
  revert: (_input, outcome, { failures }) => {
    if (outcome.is === 'done') outcome.result.reservations.map((id: string) => id.length);
    else if (outcome.is === 'failed') outcome.failure.message.length;
    failures[0].task.length;
  },
});
const ExtractSpec = world({
  name: 'extract_spec',
  execute: ({ volume }: { volume: VolumeRef }) => ({ spec: { gib: volume.sizeGiB } }),
});
const Create = world({
  name: 'create',
  onInterrupt: 'retry',
  execute: async ({ spec }: { spec: { gib: number } }, { progress }) => {
    progress(0.5);
    return { path: `lv-${spec.gib}` };
  },
});
const Finish = record({ name: 'finish', execute: (_: { path: string; reservations: string[] }) => {} });
const OnSource = record({ name: 'on_source', execute: ({ sourceId }: { sourceId: string }) => ({ copied: sourceId }) });

export const whole = flow<{ volumeId: string }>('whole')
  .add(ExtractRef)
  .add(QuotaReserve)
  .parallel(ExtractSpec)
  .add(Create)
  .add(Finish)
  .build({ version: 1 });
export const rebound = flow<{ volumeId: string }>('rebound')
  .add(OnSource, { rebind: { sourceId: 'volumeId' } })
  .build({ version: 1 });
export const nested = flow<{ volumeId: string }>('nested').sub(whole).build({ version: 1 });
export const optional = flow<{ volumeId: string }>('optional')
  .when('wanted', ({ volumeId }) => volumeId !== '', whole)
  .add(record({ name: 'look', execute: ({ path }: { path: string | undefined }) => ({ seen: path ?? '' }) }))
  .build({ version: 1 });

// @ts-expect-error missing input: nobody provides reservations
flow<{ volumeId: string }>('e1').add(ExtractRef).add(ExtractSpec).add(Create).add(Finish);
// @ts-expect-error wrong order: spec is provided only later
flow<{ volumeId: string }>('e2').add(ExtractRef).add(Create).add(ExtractSpec);
// @ts-expect-error wrong type: volumeId is a number
flow<{ volumeId: number }>('e3').add(ExtractRef);
// @ts-expect-error provided twice
flow<{ volumeId: string }>('e4').add(ExtractRef).add(ExtractRef);
// @ts-expect-error in one parallel stage nobody sees a sibling's result
flow<{ volumeId: string }>('e5').add(ExtractRef).parallel(ExtractSpec, Create);
// @ts-expect-error a result that JSON cannot carry: a function
world({ name: 'e6', execute: async ({ a }: { a: string }) => ({ f: () => a }) });
// @ts-expect-error a Date would come back as text after a crash
world({ name: 'e7', execute: async (_: { a: string }) => ({ when: new Date() }) });
// @ts-expect-error so would a Map come back as something else
record({ name: 'e8', execute: (_: { a: string }) => ({ map: new Map([['a', 1]]) }) });
// @ts-expect-error rebind to a name that is not in the store
flow<{ volumeId: string }>('e9').add(OnSource, { rebind: { sourceId: 'nope' } });
const branched = flow<{ volumeId: string }>('e10').when('wanted', () => true, whole);
// @ts-expect-error what a `when` provides may be missing
branched.add(Finish);
// @ts-expect-error a sub-flow needs its input
flow<{ id: string }>('e11').sub(whole);
record({
  name: 'e12',
  execute: ({ sourceStatus }: { sourceStatus: string }) => ({ status: sourceStatus }),
  revert: (_input, outcome) => {
    // @ts-expect-error a revert that reads a result its task does not give (the defect S50)
    if (outcome.is === 'done') outcome.result.volume_spec;
  },
});
record({
  name: 'e13',
  execute: (_: { a: string }) => ({ b: 1 }),
  // @ts-expect-error a result must be looked at before it is read: the task may have failed
  revert: (_input, outcome) => void outcome.result,
});

export async function begins(engine: Engine<object, RowTx>, tx: RowTx): Promise<void> {
  const options = { resource: 'volume:v', projectId: 'p', requestId: 'r' };
  await engine.begin(tx, whole, { volumeId: 'v' }, options);
  // @ts-expect-error a flow started without its input
  await engine.begin(tx, whole, {}, options);
}
