/** Who is signed in, and how one signs in here. */
import { signal } from '@preact/signals';

export interface Named {
  readonly id: string;
  readonly name: string;
}

export interface Session {
  readonly user: Named;
  readonly project: Named;
  readonly projects: readonly Named[];
  readonly is_admin: boolean;
}

export interface Standing {
  readonly strategy: 'noauth' | 'local' | 'keystone';
  readonly session: Session | null;
  readonly suggestions?: { readonly projects?: readonly string[]; readonly domain?: string };
}

/** Undefined until the service has said it. */
export const standing = signal<Standing | undefined>(undefined);

/** Found in the midst of work: the session has ended. What one looked at stays in the address. */
export const signedOut = (): void => {
  const before = standing.value;
  if (before?.session) standing.value = { strategy: before.strategy, session: null };
};
