/** What every view is made of: a status, a time, an id. */
import { hashOf } from './places.ts';
import { ago, exactTime, millisOf, shortTime } from './times.ts';
import { type Tone, toneOf } from './tones.ts';

const MARKS: Readonly<Record<Tone, string>> = { good: '●', used: '◆', busy: '◐', bad: '▲', quiet: '○' };

export function Status({ of: status }: { readonly of: string }) {
  return <State tone={toneOf(status)} word={status} />;
}

export function State({ tone, word }: { readonly tone: Tone; readonly word: string }) {
  return (
    <span class={`status ${tone}`}>
      <span aria-hidden="true">{MARKS[tone]}</span> {word}
    </span>
  );
}

/** In the reader's zone; the exact one is a touch away. */
export function Time({ at, long = false }: { readonly at: string | null | undefined; readonly long?: boolean }) {
  if (!at) return <span class="nothing">–</span>;
  const [ms, now] = [millisOf(at), Date.now()];
  return (
    <time dateTime={new Date(ms).toISOString()} title={exactTime(ms)}>
      {long ? `${exactTime(ms)} (${ago(ms, now)})` : shortTime(ms, now)}
    </time>
  );
}

/** Whatever may not be there. */
export function Maybe({ text }: { readonly text: string | null | undefined }) {
  return <span class={text ? '' : 'nothing'}>{text || '–'}</span>;
}

/** A name that somebody gave, or the beginning of the id. */
export function Name({ of: { id, name } }: { readonly of: { readonly id: string; readonly name?: string | null } }) {
  return <span class={name ? '' : 'unnamed'}>{name || id.slice(0, 8)}</span>;
}

/** Something that is named by its id only. */
export function Id({ view, id }: { readonly view: string; readonly id: string }) {
  return (
    <a class="unnamed" href={hashOf([view, id])}>
      {id.slice(0, 8)}
    </a>
  );
}

/** Names and values that somebody gave. */
export function Metadata({ of: pairs }: { readonly of: Readonly<Record<string, string>> }) {
  const entries = Object.entries(pairs);
  if (entries.length === 0) return <Maybe text={null} />;
  return (
    <>
      {entries.map(([key, value]) => (
        <div key={key}>
          {key} = {value}
        </div>
      ))}
    </>
  );
}
