/** `[identity]`: projects, users and credentials of our own. */
import { PASSWORD_HASH } from '../password.ts';
import { Type } from '../schema.ts';
import { names } from './forms.ts';

const hash = (of: string) =>
  Type.String({
    pattern: PASSWORD_HASH,
    form: 'what `pumice passwd` prints',
    secret: true,
    description: `The hash of ${of}.`,
  });
const fixedId = (of: string) =>
  Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9-]{1,64}$',
      form: 'letters, digits and hyphens',
      description: `Its id. Without it: made from the name, so ${of}.`,
    }),
  );
const NAME_OF = '^[^\\s](.{0,253}[^\\s])?$';

export const Identity = Type.Object(
  {
    token_expiration: Type.Integer({ minimum: 60, default: 3600, description: 'Seconds a token is good for.' }),
    region: Type.String({ minLength: 1, default: 'RegionOne', description: 'The region in the catalogue.' }),
    projects: Type.Record(
      Type.String({ pattern: NAME_OF }),
      Type.Object(
        { id: fixedId('a project that is renamed without it loses its volumes') },
        { description: 'A project. Its name is that of the section.' },
      ),
      { form: 'at most 255 characters', default: {} },
    ),
    users: Type.Record(
      Type.String({ pattern: NAME_OF }),
      Type.Object(
        {
          password_hash: hash("the user's password"),
          id: fixedId('a user who is renamed without it is another one'),
          default_project: Type.Optional(
            Type.String({ minLength: 1, description: 'The project of a token that is asked for without one.' }),
          ),
          roles: Type.Record(Type.String({ pattern: NAME_OF }), Type.Array(names, { minItems: 1 }), {
            form: 'names of projects',
            description: "The user's roles in each project.",
            default: {},
          }),
        },
        { description: 'A user. The name is that of the section.' },
      ),
      { form: 'at most 255 characters', default: {} },
    ),
    application_credentials: Type.Record(
      Type.String({ pattern: NAME_OF }),
      Type.Object(
        {
          secret_hash: hash('its secret'),
          id: fixedId('programs that name it by its id need no other'),
          user: Type.String({ minLength: 1, description: 'Whose it is.' }),
          project: Type.String({ minLength: 1, description: 'The only project its tokens are for.' }),
          roles: Type.Optional(
            Type.Array(names, { minItems: 1, description: "Which of the user's roles. Without it: all." }),
          ),
        },
        { description: "A credential for a program, in place of its user's password." },
      ),
      { form: 'at most 255 characters', default: {} },
    ),
  },
  { description: 'Who there is with `auth_strategy = "local"`. See [identity.md](identity.md).' },
);
