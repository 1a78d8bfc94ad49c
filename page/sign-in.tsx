/** Signing in, as the site is configured: by a name alone, by a password of Pumice's own users, or by one of Keystone's. */
import { useEffect, useRef } from 'preact/hooks';
import { ask } from './ask.ts';
import { Field, Form, type Refused } from './form.tsx';
import { Refusal } from './refusal.ts';
import { type Standing, standing } from './session.ts';

export async function readStanding(): Promise<void> {
  standing.value = await ask<Standing>('GET', 'pumice/v1/session');
}

export async function signIn(session: Readonly<Record<string, string>>): Promise<void> {
  standing.value = await ask<Standing>('POST', 'pumice/v1/session', { session }).catch((error: unknown) => {
    throw error instanceof Refusal && error.status === 401
      ? new Refusal(401, 'The user or the password is not right.')
      : error;
  });
}

export async function signOut(): Promise<void> {
  await ask('DELETE', 'pumice/v1/session');
  await readStanding();
}

export function SignIn({ strategy, suggestions }: Standing) {
  useEffect(() => {
    if (suggestions === undefined) void readStanding().catch(() => {});
  }, [suggestions]);
  // One types at once; but not into another field than one has chosen meanwhile.
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) main.current?.querySelector('input')?.focus();
  }, [suggestions]);
  const isProved = strategy !== 'noauth';
  return (
    <main class="sign-in" ref={main}>
      <img src={document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href} alt="" width="64" height="64" />
      <h1>Pumice</h1>
      <p class="hint">
        {isProved
          ? 'Block storage of this site.'
          : 'Nobody is asked for a password here, and everybody is an administrator.'}
      </p>
      <Form button="Sign in" fields={['user', 'password', 'domain', 'project']} send={signIn}>
        {(refused) =>
          isProved ? <Proved {...{ strategy, suggestions, refused }} /> : <Unproved {...{ suggestions, refused }} />
        }
      </Form>
    </main>
  );
}

interface Fields {
  readonly suggestions: Standing['suggestions'] | undefined;
  readonly refused: Refused | undefined;
}

function Unproved({ suggestions, refused }: Fields) {
  const projects = suggestions?.projects ?? [];
  const first = projects[0] ?? 'admin';
  return (
    <>
      <Field
        key={first}
        name="project"
        label="Project"
        list={projects}
        value={first}
        refused={refused}
        hint={projects.length > 1 ? 'Any name will do; those that have something are suggested.' : 'Any name will do.'}
      />
      <Field name="user" label="User" value="admin" refused={refused} hint="Any name: whatever you do is done in it." />
    </>
  );
}

function Proved({ strategy, suggestions, refused }: Fields & Pick<Standing, 'strategy'>) {
  return (
    <>
      <Field name="user" label="User" autoComplete="username" refused={refused} />
      <Field name="password" label="Password" type="password" autoComplete="current-password" refused={refused} />
      {strategy === 'keystone' && (
        <Field
          key={suggestions?.domain}
          name="domain"
          label="Domain"
          value={suggestions?.domain ?? 'Default'}
          refused={refused}
          hint="The user's, by name."
        />
      )}
    </>
  );
}
