/** Something that may be done: a button, its form, and what comes of it. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { useAnswer } from './answer.ts';
import { Choice, Dialog, Field, Form, type Refused } from './form.tsx';
import type { Act, Done, FieldSpec, Typed } from './kind.ts';
import { begun } from './live.ts';
import { go } from './navigation.ts';
import { tell } from './note.ts';
import { Quota } from './quota.tsx';

interface ActProps<R> {
  readonly act: Act<R>;
  readonly row: R;
  readonly primary?: boolean;
}

export function ActButton<R>({ act, row, primary = false }: ActProps<R>) {
  const open = useSignal(false);
  const whyNot = act.whyNot?.(row);
  const begin = (): void => {
    if (whyNot === undefined) open.value = true;
    else tell(whyNot);
  };
  return (
    <>
      <button
        type="button"
        class={primary ? 'primary' : act.danger ? 'danger' : ''}
        aria-disabled={whyNot !== undefined}
        title={whyNot}
        onClick={begin}
      >
        {act.text}
      </button>
      {open.value && (
        <ActDialog
          act={act}
          row={row}
          onClose={() => {
            open.value = false;
          }}
        />
      )}
    </>
  );
}

function ActDialog<R>({ act, row, onClose }: ActProps<R> & { onClose(): void }) {
  const shown = useSignal<Done['shown']>(undefined);
  const send = async (typed: Typed): Promise<void> => {
    const done = await act.send(typed, row);
    shown.value = done.shown;
    if (done.tell) tell(done.tell);
    if (done.shown === undefined) onClose();
    if (done.go) go(done.go);
    begun();
  };
  const title = act.title?.(row) ?? act.text;
  if (shown.value)
    return (
      <Dialog title={title} onClose={onClose}>
        <Result shown={shown.value} onClose={onClose} />
      </Dialog>
    );
  return (
    <Dialog title={title} onClose={onClose} aside={act.quota && <Quota of={act.quota} />}>
      <Form
        button={act.button ?? act.text}
        fields={act.fields.map(({ name }) => name)}
        danger={act.danger === true}
        send={send}
        onCancel={onClose}
      >
        {(refused) => (
          <>
            {act.about && <p class="about">{act.about(row)}</p>}
            {act.fields.map((field) => (
              <FieldOf key={field.name} field={field} row={row} refused={refused} />
            ))}
          </>
        )}
      </Form>
    </Dialog>
  );
}

interface FieldOfProps<R> {
  readonly field: FieldSpec<R>;
  readonly row: R;
  readonly refused: Refused | undefined;
}

function FieldOf<R>({ field, row, refused }: FieldOfProps<R>) {
  const { from, options = [] } = field;
  const { body } = useAnswer<Readonly<Record<string, readonly { readonly name: string }[]>>>(from?.path ?? null);
  if (from === undefined && field.options === undefined)
    return (
      <Field {...field} type={field.number ? 'number' : 'text'} value={field.value?.(row) ?? ''} refused={refused} />
    );
  const names = (from && body?.[from.key]?.map(({ name }) => [name, name] as const)) ?? [];
  return <Choice {...field} options={[...options, ...names]} refused={refused} />;
}

interface ResultProps {
  readonly shown: NonNullable<Done['shown']>;
  onClose(): void;
}

function Result({ shown: { text, facts }, onClose }: ResultProps) {
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => close.current?.focus(), []);
  return (
    <>
      <p class="about">{text}</p>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{value}</code>
            </dd>
          </div>
        ))}
      </dl>
      <div class="buttons">
        <button ref={close} type="button" class="primary" onClick={onClose}>
          Close
        </button>
      </div>
    </>
  );
}
