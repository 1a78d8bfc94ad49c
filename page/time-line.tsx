/** What was done to a resource, newest first: each flow with its tasks, attempts and reverts drawn to scale, live. */
import { useAnswer } from './answer.ts';
import { seconds } from './live.ts';
import { hashOf } from './places.ts';
import { State, Time } from './small.tsx';
import { type Flow, reasonOf, type Story, spoken, standingOf, stateTone, stateWord } from './story.ts';
import { type Line, linesOf, scaleOf } from './time-line.ts';
import { duration, exactTime, millisOf } from './times.ts';

/** The newest flows are told; the others are in the list of flows. */
const TOLD = 5;

/** `resource`: an id, also of what is gone. */
export function TimeLine({ resource }: { readonly resource: string }) {
  const { body } = useAnswer<{ readonly flows: readonly Flow[]; readonly next: string | null }>(
    `pumice/v1/flows?resource=${encodeURIComponent(resource)}&limit=${TOLD}`,
  );
  if (body === undefined || body.flows.length === 0) return null;
  return (
    <section>
      <h2>Time line</h2>
      {body.flows.map((flow) => (
        <Told key={flow.id} flow={flow} />
      ))}
      {body.next && (
        <p>
          <a href={hashOf(['flows'], { resource })}>All that was done to it</a>
        </p>
      )}
    </section>
  );
}

function Told({ flow }: { readonly flow: Flow }) {
  const { body } = useAnswer<Story>(`pumice/v1/flows/${flow.id}`, { once: flow.ended_at !== null });
  return (
    <article class="flow" aria-label={spoken(flow.name)}>
      <div class="flow-head">
        <Time at={flow.created_at} />
        <a href={hashOf(['flows', flow.id])}>{spoken(flow.name)}</a>
        <State tone={stateTone(flow.state)} word={stateWord(flow.state)} />
      </div>
      {body && <FlowLines story={body} />}
    </article>
  );
}

export function FlowLines({ story }: { readonly story: Story }) {
  // What has ended is not drawn again.
  if (story.ended_at === null) void seconds.value;
  const lines = linesOf(story, Date.now());
  const at = scaleOf(lines);
  const reason = story.state === 'success' ? undefined : reasonOf(story);
  return (
    <>
      <ol class="lines">
        {lines.map((line, index) => (
          <LineShown key={index} line={line} at={at} />
        ))}
      </ol>
      {reason && <p class="reason">{reason}</p>}
      <p class="hint">{standingOf(story)}</p>
    </>
  );
}

const WIDTH = 1000;

function LineShown({ line, at }: { readonly line: Line; at(ms: number): number }) {
  const { node, mark, word, from, to, failure, progress } = line;
  const percent = progress === null ? undefined : `${Math.floor(progress * 100)} %`;
  const took = from === null || to === null ? word : duration(to - from);
  const said = from === null ? '' : [word, percent].filter(Boolean).join(', ');
  return (
    <li class={mark}>
      <span class="node">{spoken(node)}</span>
      <svg viewBox={`0 0 ${WIDTH} 10`} preserveAspectRatio="none" aria-hidden="true">
        {from !== null && to !== null && <Span x={at(from)} end={at(to)} progress={progress} />}
      </svg>
      <span class="took" title={from === null ? undefined : exactTime(from)}>
        {took}
      </span>
      {said && <span class="said">{said}</span>}
      {failure && <span class="failure">{failure}</span>}
    </li>
  );
}

function Span({ x, end, progress }: { readonly x: number; readonly end: number; readonly progress: number | null }) {
  const width = Math.max(4, (end - x) * WIDTH);
  const left = Math.min(x * WIDTH, WIDTH - width);
  return (
    <>
      <rect x={left} y="1" width={width} height="8" rx="1" class={progress === null ? 'span' : 'span pale'} />
      {progress !== null && <rect x={left} y="1" width={width * progress} height="8" rx="1" class="span" />}
    </>
  );
}

/** Everything that was written down of a flow, also what took no time. */
export function EveryStep({ story }: { readonly story: Story }) {
  return (
    <details>
      <summary>Every step ({story.steps.length})</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer moves it sideways by its keys */}
      <section class="scroll" aria-label="Every step" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">What</th>
              <th scope="col">At</th>
              <th scope="col" class="number">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {story.steps.map((step, index) => (
              <tr key={index}>
                <th scope="row">{spoken(step.node)}</th>
                <td>{spoken(step.event)}</td>
                <td>{exactTime(millisOf(step.at))}</td>
                <td class="number">{step.ms === null ? '' : duration(step.ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
