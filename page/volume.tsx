/** One volume: what it is, what it is doing, what went wrong with it, and what may be done. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useAnswer } from './answer.ts';
import { ask } from './ask.ts';
import { Dialog, Field, Form } from './form.tsx';
import { begun } from './live.ts';
import { go } from './navigation.ts';
import { tell } from './note.ts';
import { hashOf } from './places.ts';
import { Quota } from './quota.tsx';
import type { UserMessage, Volume } from './resources.ts';
import { Maybe, Name, Status, Time } from './small.tsx';

export function VolumePage({ id }: { readonly id: string }) {
  const path = `v3/volumes/${encodeURIComponent(id)}`;
  const { body, refusal } = useAnswer<{ readonly volume: Volume }>(path);
  const { body: told } = useAnswer<{ readonly messages: readonly UserMessage[] }>(
    `v3/messages?resource_uuid=${encodeURIComponent(id)}&sort=created_at:desc&limit=5`,
  );
  if (refusal)
    return (
      <>
        <h1>Volume</h1>
        <p class="refused" role="alert">
          {refusal.status === 404 ? 'There is no such volume, or no more.' : refusal.message}
        </p>
        <p>
          <a href={hashOf(['volumes'])}>All volumes</a>
        </p>
      </>
    );
  if (body === undefined) return <p class="waiting">One moment…</p>;
  const { volume } = body;
  return (
    <>
      <div class="title">
        <h1>
          <Name of={volume} />
        </h1>
        <Status of={volume.status} />
        <Acts volume={volume} path={path} />
      </div>
      <Facts volume={volume} />
      <Attachments volume={volume} />
      <Messages messages={told?.messages ?? []} />
    </>
  );
}

type Act = 'extend' | 'delete';

function Acts({ volume, path }: { readonly volume: Volume; readonly path: string }) {
  const act = useSignal<Act | undefined>(undefined);
  const close = (): void => {
    act.value = undefined;
  };
  const name = volume.name || volume.id.slice(0, 8);
  const extend = async ({ new_size: size }: Readonly<Record<string, string>>): Promise<void> => {
    await ask('POST', `${path}/action`, { 'os-extend': { new_size: Number(size) } });
    close();
    begun();
  };
  const remove = async (): Promise<void> => {
    await ask('DELETE', path);
    close();
    begun();
    tell(`${name} is being deleted.`);
    go(['volumes']);
  };
  return (
    <div class="acts">
      <button
        type="button"
        onClick={() => {
          act.value = 'extend';
        }}
      >
        Extend
      </button>
      <button
        type="button"
        class="danger"
        onClick={() => {
          act.value = 'delete';
        }}
      >
        Delete
      </button>
      {act.value === 'extend' && (
        <Dialog title={`Extend ${name}`} onClose={close} aside={<Quota of={['gigabytes']} />}>
          <Form button="Extend" fields={['new_size']} send={extend} onCancel={close}>
            {(refused) => (
              <Field
                name="new_size"
                label="New size, GiB"
                type="number"
                value={String(volume.size + 1)}
                hint={`It has ${volume.size} GiB.`}
                refused={refused}
              />
            )}
          </Form>
        </Dialog>
      )}
      {act.value === 'delete' && (
        <Dialog title={`Delete ${name}?`} onClose={close}>
          <Form button="Delete" fields={[]} danger send={remove} onCancel={close}>
            {() => <p>Its {volume.size} GiB are gone for good. Snapshots of it must be deleted before.</p>}
          </Form>
        </Dialog>
      )}
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ volume }: { readonly volume: Volume }) {
  const metadata = Object.entries(volume.metadata);
  const image = volume.volume_image_metadata?.image_name ?? volume.volume_image_metadata?.image_id;
  return (
    <dl class="facts">
      <Fact name="Size">{volume.size} GiB</Fact>
      <Fact name="Type">
        <Maybe text={volume.volume_type} />
      </Fact>
      <Fact name="Made from">
        <Origin volume={volume} image={image} />
      </Fact>
      <Fact name="Created">
        <Time at={volume.created_at} long />
      </Fact>
      <Fact name="Changed">
        <Time at={volume.updated_at} long />
      </Fact>
      <Fact name="Bootable">{volume.bootable === 'true' ? 'yes' : 'no'}</Fact>
      <Fact name="Zone">
        <Maybe text={volume.availability_zone} />
      </Fact>
      {volume['os-vol-host-attr:host'] && <Fact name="Where">{volume['os-vol-host-attr:host']}</Fact>}
      <Fact name="Id">
        <code>{volume.id}</code>
      </Fact>
      {volume.description && <Fact name="Description">{volume.description}</Fact>}
      {metadata.length > 0 && (
        <Fact name="Metadata">
          {metadata.map(([key, value]) => (
            <div key={key}>
              {key} = {value}
            </div>
          ))}
        </Fact>
      )}
    </dl>
  );
}

function Origin({ volume, image }: { readonly volume: Volume; readonly image: string | undefined }) {
  const { snapshot_id: snapshot, source_volid: source } = volume;
  if (source)
    return (
      <>
        volume <a href={hashOf(['volumes', source])}>{source.slice(0, 8)}</a>
      </>
    );
  if (snapshot)
    return (
      <>
        snapshot <code>{snapshot.slice(0, 8)}</code>
      </>
    );
  return image ? <>image {image}</> : <>nothing: it began blank</>;
}

function Attachments({ volume: { attachments } }: { readonly volume: Volume }) {
  if (attachments.length === 0) return null;
  return (
    <section>
      <h2>Attached</h2>
      <ul>
        {attachments.map((each) => (
          <li key={each.attachment_id}>
            to {each.server_id ?? each.host_name ?? 'somewhere'}
            {each.device && ` as ${each.device}`}, since <Time at={each.attached_at} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Messages({ messages }: { readonly messages: readonly UserMessage[] }) {
  if (messages.length === 0) return null;
  return (
    <section>
      <h2>What went wrong</h2>
      <ul class="messages">
        {messages.map((message) => (
          <li key={message.id}>
            <Time at={message.created_at} long />
            <p>{message.user_message}</p>
            {message.request_id && (
              <p class="hint">
                Request <code>{message.request_id}</code>
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
