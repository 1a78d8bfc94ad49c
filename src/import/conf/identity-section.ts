/** Who is asked about callers: the Keystone of Cinder's. Its password is not copied: the section names a file that the operator puts it into. */
import type { OsloConf } from './oslo-conf.ts';
import { tomlLine } from './toml-lines.ts';

export interface IdentitySection {
  /** Of `[api]` and of `[keystone]`. */
  readonly api: readonly string[];
  readonly keystone: readonly string[];
  readonly notes: readonly string[];
}

const OPTIONS = [
  ...['auth_url', 'www_authenticate_uri', 'username', 'user_domain_name', 'project_name', 'project_domain_name'],
  ...['application_credential_id', 'cafile'],
];
const AUTHTOKEN = 'keystone_authtoken';
const SECRETS = '/etc/pumice';

export function identitySection(conf: OsloConf): IdentitySection {
  const said = (option: string): string | undefined => conf.value(AUTHTOKEN, option);
  if (conf.value('DEFAULT', 'auth_strategy') === 'noauth') return { api: [], keystone: [], notes: [] };
  const kept = OPTIONS.flatMap((option) => {
    const value = said(option);
    return value === undefined || value === '' ? [] : [tomlLine(option, value)];
  });
  if (!/^https?:\/\//.test(said('auth_url') ?? ''))
    return {
      api: [],
      keystone: [],
      notes: [
        `[${AUTHTOKEN}] has no auth_url: until [api] auth_strategy and [keystone] say who is asked, everybody who reaches the service is an administrator`,
      ],
    };
  const credential = said('application_credential_id') !== undefined;
  const secret = credential ? 'application_credential_secret' : 'password';
  const file = `${SECRETS}/keystone-${credential ? 'secret' : 'password'}`;
  const byId = ['user_domain', 'project_domain', 'project'].filter(
    (what) =>
      said(`${what}_name`) === undefined && said(`${what}_id`) !== undefined && said(`${what}_id`) !== 'default',
  );
  return {
    api: [tomlLine('auth_strategy', 'keystone')],
    keystone: [...kept, tomlLine(`${secret}_file`, file)],
    notes: [
      `${secret} of [${AUTHTOKEN}] goes into ${file}`,
      ...byId.map((what) => `[${AUTHTOKEN}] says ${what}_id; here it is ${what}_name, the name of that`),
    ],
  };
}
