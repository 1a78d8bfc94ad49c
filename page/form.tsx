/**
 * Forms: fields, with what the service refuses beside the field it speaks of, in its words. Nothing is checked here that the
 * service checks anyway.
 */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { fieldOf, Refusal } from './refusal.ts';

export interface Refused {
  readonly message: string;
  readonly field: string | undefined;
}

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint?: string | undefined;
  readonly refused: Refused | undefined;
  readonly type?: 'text' | 'number' | 'password';
  readonly value?: string;
  readonly autoComplete?: string;
  readonly list?: readonly string[] | undefined;
}

export function Field({ name, label, hint, refused, list, type = 'text', value, autoComplete = 'off' }: FieldProps) {
  const id = useId();
  const message = refused?.field === name ? refused.message : undefined;
  // Numbers are text to the browser: the wheel would change them, and what is no number would not be sent to be refused.
  const kind =
    type === 'password'
      ? { type }
      : {
          type: 'text' as const,
          inputMode: type === 'number' ? ('numeric' as const) : undefined,
          list: list && `${id}-list`,
        };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        defaultValue={value ?? ''}
        autoComplete={autoComplete}
        {...kind}
        aria-invalid={message !== undefined}
        aria-describedby={`${id}-hint`}
      />
      {list && (
        <datalist id={`${id}-list`}>
          {list.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      <p id={`${id}-hint`} class={message === undefined ? 'hint' : 'refused'}>
        {message ?? hint}
      </p>
    </div>
  );
}

interface ChoiceProps extends Pick<FieldProps, 'name' | 'label' | 'hint' | 'refused'> {
  readonly options: readonly (readonly [value: string, text: string])[];
}

export function Choice({ name, label, hint, refused, options }: ChoiceProps) {
  const id = useId();
  const message = refused?.field === name ? refused.message : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} name={name} aria-invalid={message !== undefined} aria-describedby={`${id}-hint`}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      <p id={`${id}-hint`} class={message === undefined ? 'hint' : 'refused'}>
        {message ?? hint}
      </p>
    </div>
  );
}

export interface FormProps {
  readonly button: string;
  /** Names of its fields. */
  readonly fields: readonly string[];
  readonly danger?: boolean;
  /** What is typed, by name; an empty field is absent. Rejects with `Refusal`. */
  send(typed: Readonly<Record<string, string>>): Promise<void>;
  onCancel?(): void;
  children(refused: Refused | undefined): ComponentChildren;
}

export function Form({ button, fields, danger = false, send, onCancel, children }: FormProps) {
  const refused = useSignal<Refused | undefined>(undefined);
  const busy = useSignal(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (refused.value !== undefined) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refused.value]);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (busy.value) return;
    const typed = [...new FormData(event.currentTarget as HTMLFormElement)];
    busy.value = true;
    try {
      await send(Object.fromEntries(typed.filter((pair): pair is [string, string] => pair[1] !== '')));
      refused.value = undefined;
    } catch (error) {
      const message =
        error instanceof Refusal
          ? error.message
          : 'The service does not answer. Look whether it was done before you try again.';
      refused.value = { message, field: fieldOf(message, fields) };
    } finally {
      busy.value = false;
    }
  };
  const general = refused.value?.field === undefined ? refused.value?.message : undefined;
  return (
    <form ref={form} noValidate onSubmit={(event) => void submit(event)}>
      {children(refused.value)}
      <p role="alert" class="refused general">
        {general}
      </p>
      <div class="buttons">
        {onCancel && (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
        <button type="submit" class={danger ? 'danger' : 'primary'} aria-disabled={busy.value}>
          {busy.value ? 'One moment…' : button}
        </button>
      </div>
    </form>
  );
}

interface DialogProps {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
  onClose(): void;
}

/** Open as long as it is there. Escape closes it, and what was looked at before has the focus again. */
export function Dialog({ title, aside, children, onClose }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      <div class={aside ? 'beside' : ''}>
        <div>{children}</div>
        {aside && <aside>{aside}</aside>}
      </div>
    </dialog>
  );
}
