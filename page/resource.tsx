/** One resource: what it is, what it is doing, what went wrong with it, and what may be done. */
import { ActButton } from './act.tsx';
import { useAnswer } from './answer.ts';
import type { Kind, Row } from './kind.ts';
import { hashOf } from './places.ts';
import type { UserMessage } from './resources.ts';
import { Name, Status, Time } from './small.tsx';
import { TimeLine } from './time-line.tsx';
import { WhyShown } from './why.tsx';

export function ResourcePage<R extends Row>({ kind, id }: { readonly kind: Kind<R>; readonly id: string }) {
  const { body, refusal } = useAnswer<R | Readonly<Record<string, R>>>(kind.single.path(encodeURIComponent(id)));
  const { body: told } = useAnswer<{ readonly messages: readonly UserMessage[] }>(
    kind.hasFlows ? `v3/messages?resource_uuid=${encodeURIComponent(id)}&sort=created_at:desc&limit=5` : null,
  );
  const [one] = kind.word;
  if (refusal)
    return (
      <>
        <h1>{kind.title}</h1>
        <p class="refused" role="alert">
          {refusal.status === 404 ? `There is no such ${one}, or no more.` : refusal.message}
        </p>
        <Messages messages={told?.messages ?? []} />
        {kind.hasFlows && <TimeLine resource={id} />}
        <p>
          <a href={hashOf([kind.view])}>Back to the list</a>
        </p>
      </>
    );
  const { key } = kind.single;
  const row = (key === null ? body : (body as Readonly<Record<string, R>> | undefined)?.[key]) as R | undefined;
  if (row === undefined) return <p class="waiting">One moment…</p>;
  return (
    <>
      <div class="title">
        <h1>
          <Name of={{ id: row.id, name: kind.nameOf?.(row) ?? row.name ?? null }} />
        </h1>
        {row.status && <Status of={row.status} />}
      </div>
      <div class="acts below">
        {kind.acts.map((act) => (
          <ActButton key={act.text} act={act} row={row} />
        ))}
      </div>
      <dl class="facts">
        {[...kind.facts(row), ['Id', <code key="id">{row.id}</code>] as const].map(([name, shown]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{shown}</dd>
          </div>
        ))}
      </dl>
      {kind.hasFlows && <WhyShown id={id} />}
      {kind.more?.(row)}
      <Messages messages={told?.messages ?? []} />
      {kind.hasFlows && <TimeLine resource={id} />}
    </>
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
