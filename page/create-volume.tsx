/** Creating a volume, with what the project may still have beside the form. */
import { useAnswer } from './answer.ts';
import { ask } from './ask.ts';
import { Choice, Dialog, Field, Form } from './form.tsx';
import { begun } from './live.ts';
import { go } from './navigation.ts';
import { Quota } from './quota.tsx';
import type { Volume, VolumeType } from './resources.ts';

const FIELDS = ['name', 'size', 'volume_type', 'description'];

export function CreateVolume({ onClose }: { onClose(): void }) {
  const { body: types } = useAnswer<{ readonly volume_types: readonly VolumeType[] }>('v3/types');
  const send = async ({ size, ...typed }: Readonly<Record<string, string>>): Promise<void> => {
    const given = size !== undefined && /^\d+$/.test(size) ? Number(size) : (size ?? null);
    const { volume } = await ask<{ readonly volume: Volume }>('POST', 'v3/volumes', {
      volume: { ...typed, size: given },
    });
    begun();
    onClose();
    go(['volumes', volume.id]);
  };
  const names = (types?.volume_types ?? []).map(({ name }) => [name, name] as const);
  return (
    <Dialog title="Create volume" onClose={onClose} aside={<Quota of={['volumes', 'gigabytes']} />}>
      <Form button="Create" fields={FIELDS} send={send} onCancel={onClose}>
        {(refused) => (
          <>
            <Field name="name" label="Name" refused={refused} />
            <Field name="size" label="Size, GiB" type="number" value="1" refused={refused} />
            <Choice name="volume_type" label="Type" refused={refused} options={[['', 'As is usual here'], ...names]} />
            <Field name="description" label="Description" refused={refused} />
          </>
        )}
      </Form>
    </Dialog>
  );
}
