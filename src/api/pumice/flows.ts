/**
 * Flows: a list, one with its story, and what an operator may order of it. A project's users see the flows of their project, without
 * what only operators are to know (`why/flow-facts.ts`).
 */
import { wishOfFlow } from '../../commands/flows/wish-of-flow.ts';
import { type FlowPageQuery, flowPage } from '../../db/flow-page.ts';
import { DatabaseJournal } from '../../db/journal.ts';
import { whatKeeps } from '../../db/journal-holds.ts';
import { FLOW_STATES, type FlowRow, type FlowState, WAITING_LANE, type Wish } from '../../engine/journal.ts';
import { Type } from '../../lib/schema.ts';
import { FlowNotFound, InvalidInput } from '../../model/errors.ts';
import { flowFacts, type Reader, storyFacts } from '../../why/flow-facts.ts';
import { readStory } from '../../why/read-story.ts';
import { CLOSED, Maybe, Text255 } from '../body.ts';
import { queryBoolean, queryInteger } from '../query.ts';
import { type ApiCall, type Route, route } from '../route.ts';
import { FlowAnswer, FlowsAnswer, StoryAnswer } from './answers.ts';

const USUAL_LIMIT = 100;

const FlowQuery = Type.Object({
  state: Type.Optional(Type.Enum(FLOW_STATES)),
  name: Type.Optional(Type.String()),
  resource: Type.Optional(Type.String({ description: '`volume:ID`, or an ID of any kind.' })),
  unended: Type.Optional(Type.Boolean({ description: 'Only those in flight.' })),
  project_id: Type.Optional(Type.String({ description: "Of administrators; others see their own project's." })),
  limit: Type.Optional(
    Type.Integer({ minimum: 0, description: 'At most `api.osapi_max_limit`.', default: USUAL_LIMIT }),
  ),
  marker: Type.Optional(Type.String({ description: 'The id of the last flow of the page before.' })),
});

const Order = Type.Object({ reason: Maybe(Text255) }, CLOSED);

export const flows: readonly Route[] = [
  route({
    method: 'GET',
    path: '/flows',
    policy: 'pumice:flows:get_all',
    query: FlowQuery,
    answer: FlowsAnswer,
    async handle(call) {
      const { desk } = call;
      const { limit, ...query } = await askedFor(call);
      // One more tells whether there is a next page.
      const found = limit === 0 ? [] : await flowPage(desk.db, { ...query, limit: limit + 1 });
      const page = found.slice(0, limit);
      const waiting = page.filter(({ lane }) => lane === WAITING_LANE).map(({ id }) => id);
      const holders = await whatKeeps(desk.db.read, waiting);
      return {
        flows: page.map((flow) => flowFacts(flow, holders.get(flow.id) ?? [], readerOf(call))),
        next: found.length > page.length ? (page.at(-1)?.id ?? null) : null,
      };
    },
  }),

  route({
    method: 'GET',
    path: '/flows/:id',
    policy: 'pumice:flows:get',
    answer: StoryAnswer,
    async handle(call) {
      const { story, holders, messages } = await readStory(call.desk.db, await flowFor(call, call.params.id));
      return storyFacts(story, holders, messages, readerOf(call));
    },
  }),

  ...(['resume', 'revert', 'cancel', 'abandon'] as const).map((wish) => ordering(wish)),
];

function ordering(wish: Wish): Route {
  return route({
    method: 'POST',
    path: '/flows/:id/action',
    action: wish,
    policy: `pumice:flows:${wish}`,
    status: 202,
    body: Order,
    answer: FlowAnswer,
    async handle(call) {
      const { desk, caller, body } = call;
      const { id } = await flowFor(call, call.params.id);
      const who = `${caller.userId} of project ${caller.projectId}, ${caller.requestId}`;
      const reason = `${body.reason || 'asked by the API'} (${who})`;
      const flow = await wishOfFlow(desk.db, desk.engine, id, wish, reason);
      desk.log.info({ request_id: caller.requestId, flow: id, wish, reason }, 'a flow was given an order');
      return flowFacts(flow, (await whatKeeps(desk.db.read, [id])).get(id) ?? [], readerOf(call));
    },
  });
}

const readerOf = ({ may }: ApiCall): Reader => (may('pumice:flows:internals') ? 'operator' : 'owner');

async function flowFor({ desk, caller }: Pick<ApiCall, 'desk' | 'caller'>, id: string): Promise<FlowRow> {
  const flow = await new DatabaseJournal(desk.db).find(id);
  if (flow === undefined || (!caller.isAdmin && flow.projectId !== caller.projectId)) throw new FlowNotFound(id);
  return flow;
}

const STATES: ReadonlySet<string> = new Set(FLOW_STATES);
const KNOWN: ReadonlySet<string> = new Set(Object.keys(FlowQuery.properties));
/** Of an id that comes without its kind. */
const KINDS = ['volume', 'snapshot', 'group', 'group_snapshot', 'backup', 'attachment'];

/** A user's own project is all there is; an administrator may name one. */
async function askedFor(call: ApiCall): Promise<FlowPageQuery> {
  const { query, caller, desk } = call;
  for (const name of query.keys()) if (!KNOWN.has(name)) throw new InvalidInput(`Flows cannot be filtered by ${name}.`);
  const [state, name, resource, marker] = ['state', 'name', 'resource', 'marker'].map((each) => query.get(each));
  if (state !== undefined && !STATES.has(state))
    throw new InvalidInput(`A state of flows is ${[...STATES].join(', ')}.`);
  const projectId = caller.isAdmin ? query.get('project_id') : caller.projectId;
  const nothing = !caller.isAdmin && query.has('project_id') && query.get('project_id') !== projectId;
  const limit = Math.min(queryInteger(query, 'limit') ?? USUAL_LIMIT, desk.config.api.osapi_max_limit);
  return {
    unended: queryBoolean(query, 'unended'),
    ...(state !== undefined && { state: state as FlowState }),
    ...(name !== undefined && { name }),
    ...(resource !== undefined && { resources: resourcesNamed(resource) }),
    ...(projectId !== undefined && { projectId }),
    ...(marker !== undefined && { after: await flowFor(call, marker) }),
    limit: nothing ? 0 : limit,
  };
}

const resourcesNamed = (resource: string): string[] =>
  resource.includes(':') ? [resource] : KINDS.map((kind) => `${kind}:${resource}`);
