/** `[database]`: where rows and journals are kept. */
import { Type } from '../schema.ts';
import { positive } from './forms.ts';

export const Database = Type.Object(
  {
    url: Type.String({
      pattern: '^(sqlite:.+|postgres(ql)?://.+)$',
      form: 'a URL (sqlite:PATH or postgresql://…)',
      default: 'sqlite:$data_directory/pumice.sqlite',
      secret: true,
      path: 'sqlite:',
      description: 'Where rows and journals are kept. SQLite serves one host; PostgreSQL serves several.',
    }),
    max_pool_size: Type.Integer({
      ...positive,
      default: 10,
      description: 'Connections to PostgreSQL that read, at most; two more write and keep watch.',
    }),
  },
  { description: 'The database.' },
);
