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
    process_down_time: Type.Integer({
      minimum: 3,
      form: 'a whole number of at least 3',
      default: 6,
      description:
        'Of PostgreSQL: seconds of silence after which a process counts as dead, and others go on with its work. It ends itself when it finds out.',
    }),
    backend_stats_polling_interval: Type.Integer({
      ...positive,
      default: 60,
      description: "Seconds between reports of a backend's capacity.",
    }),
  },
  { description: 'How services tell each other that they live.' },
);
