/** Every route of our own API, below `/pumice/v1`. Loaded when the first of them is asked. */
import type { Route } from '../route.ts';
import { alarms } from './alarms.ts';
import { backends } from './backends.ts';
import { counts } from './counts.ts';
import { doctor } from './doctor.ts';
import { events } from './events.ts';
import { flows } from './flows.ts';
import { health } from './health.ts';
import { sinks } from './sinks.ts';
import { whoami } from './whoami.ts';
import { why } from './why.ts';

export const ownRoutes: readonly Route[] = [
  ...whoami,
  ...health,
  ...flows,
  ...why,
  ...backends,
  ...doctor,
  ...events,
  ...alarms,
  ...counts,
  ...sinks,
];
