/** An answer of the API that a view shows, read again whenever something may have changed. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { askText } from './ask.ts';
import { changes } from './live.ts';
import { Refusal } from './refusal.ts';

export interface Answered<Body> {
  /** The last that came, also while the next is under way. */
  readonly body: Body | undefined;
  /** Why there is none: the service's words. */
  readonly refusal: Refusal | undefined;
}

interface How<Body> {
  /** It will not change, and is not read again. */
  readonly once?: boolean;
  /** Whether its words grow old though nothing changes: then it is read every few seconds. */
  readonly ages?: (body: Body) => boolean;
}

const AGES_MS = 5_000;

/** Null: nothing is asked. */
export function useAnswer<Body>(path: string | null, { once = false, ages }: How<Body> = {}): Answered<Body> {
  const answered = useSignal<Answered<Body> & { readonly path: string | null }>({
    path: null,
    body: undefined,
    refusal: undefined,
  });
  const shown = useRef('');
  const latest = useRef(path);
  latest.current = path;
  const under = useRef<string | null>(null);
  const read = async (): Promise<void> => {
    // A service that is slow is not asked the same a second time meanwhile.
    if (path === null || under.current === path) return;
    under.current = path;
    try {
      const text = await askText('GET', path);
      // A view that shows the same need not be made again; one that has gone on to something else must not be.
      if (latest.current !== path || (shown.current === path + text && !answered.value.refusal)) return;
      shown.current = path + text;
      answered.value = { path, body: JSON.parse(text) as Body, refusal: undefined };
    } catch (error) {
      if (latest.current === path && error instanceof Refusal)
        answered.value = { path, body: undefined, refusal: error };
    } finally {
      if (under.current === path) under.current = null;
    }
  };
  const again = useRef(read);
  again.current = async () => {
    if (!once || answered.value.path !== path) await read();
  };
  useEffect(() => void read(), [path]);
  const isAging = answered.value.body !== undefined && ages?.(answered.value.body) === true;
  useEffect(() => {
    if (!isAging) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void again.current();
    }, AGES_MS);
    return () => clearInterval(timer);
  }, [isAging]);
  useSignalEffect(() => {
    if (changes.value > 0) void again.current();
  });
  // While another page of a table is read, the one before stays; what one looks at alone does not.
  return answered.value;
}
