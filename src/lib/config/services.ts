/** `[services]`: how services tell each other that they live. */
import { Type } from '../schema.ts';
import { positive } from './forms.ts';

export const Services = Type.Object(
  {
    report_interval: Type.Integer({ ...positive, default: 10, description: 'Seconds between signs of life.' }),
    service_down_time: Type.Integer({
      ...positive,
      default: 60,
      description: 'Seconds without a sign of life after which a service counts as down.',
    }),
    backend_stats_polling_interval: Type.Integer({
      ...positive,
      default: 60,
      description: "Seconds between reports of a backend's capacity.",
    }),
  },
  { description: 'How services tell each other that they live.' },
);
