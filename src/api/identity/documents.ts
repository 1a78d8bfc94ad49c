/** The documents of Identity v3: versions, tokens, the catalogue, users and projects. */
import type { Timestamp } from '../../lib/clock.ts';
import type { TokenSession } from './issued-tokens.ts';
import { NO_IMAGES } from './no-images.ts';
import { DOMAIN, idOf, type Named, type User } from './people.ts';

/** Where this service answers, and what the catalogue calls that place. */
export interface Site {
  /** `http://host:port` */
  readonly base: string;
  readonly region: string;
  /** Where images come from; undefined: from no service. */
  readonly images: string | undefined;
}

const PATH = '/identity/v3';

export function versionOf({ base }: Site): object {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${base}${PATH}/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

export function tokenOf(session: TokenSession, site: Site, withCatalogue: boolean): object {
  const { issued, user, project, roles, credential } = session;
  return {
    methods: issued.methods,
    user: { ...userIn(user), password_expires_at: null },
    audit_ids: [issued.auditId],
    issued_at: zoned(issued.issuedAt),
    expires_at: zoned(issued.expiresAt),
    ...(project !== undefined && {
      project: { id: project.id, name: project.name, domain: DOMAIN },
      is_domain: false,
      roles: roles.map(roleOf),
      ...(withCatalogue && { catalog: catalogueOf(project, site) }),
    }),
    ...(credential !== undefined && {
      application_credential: { id: credential.id, name: credential.name, restricted: true },
    }),
  };
}

const userIn = ({ id, name }: User): object => ({ id, name, domain: DOMAIN });

/** Identity writes the zone that Block Storage leaves out. */
const zoned = (at: Timestamp): string => `${at}Z`;

export const roleOf = (name: string): Named => ({ id: idOf('role', name), name });

const SERVICES = [
  { type: 'block-storage', name: 'pumice', url: ({ base }: Site, { id }: Named) => `${base}/v3/${id}` },
  { type: 'volumev3', name: 'cinderv3', url: ({ base }: Site, { id }: Named) => `${base}/v3/${id}` },
  { type: 'identity', name: 'keystone', url: ({ base }: Site) => `${base}${PATH}` },
  { type: 'image', name: 'glance', url: ({ base, images }: Site) => images ?? `${base}${NO_IMAGES}` },
] as const;

export function catalogueOf(project: Named, site: Site): readonly object[] {
  const { region } = site;
  return SERVICES.map(({ type, name, url }) => ({
    id: idOf('service', type),
    type,
    name,
    endpoints: ['public', 'internal', 'admin'].map((kind) => ({
      id: idOf('endpoint', `${type} ${kind}`),
      interface: kind,
      region,
      region_id: region,
      url: url(site, project),
    })),
  }));
}

export function userShown(user: User, { base }: Site): object {
  return {
    id: user.id,
    name: user.name,
    domain_id: DOMAIN.id,
    enabled: true,
    options: {},
    password_expires_at: null,
    links: { self: `${base}${PATH}/users/${user.id}` },
  };
}

export function projectShown({ id, name }: Named, { base }: Site): object {
  return {
    id,
    name,
    domain_id: DOMAIN.id,
    parent_id: DOMAIN.id,
    description: '',
    enabled: true,
    is_domain: false,
    tags: [],
    options: {},
    links: { self: `${base}${PATH}/projects/${id}` },
  };
}

export function domainShown({ base }: Site): object {
  return {
    ...DOMAIN,
    description: '',
    enabled: true,
    tags: [],
    options: {},
    links: { self: `${base}${PATH}/domains/${DOMAIN.id}` },
  };
}

export function roleShown(name: string, { base }: Site): object {
  const role = roleOf(name);
  return {
    ...role,
    domain_id: null,
    description: null,
    options: {},
    links: { self: `${base}${PATH}/roles/${role.id}` },
  };
}

/** A list that is never cut. */
export function listed(key: string, all: readonly object[], path: string, { base }: Site): object {
  return { [key]: all, links: { self: `${base}${PATH}${path}`, previous: null, next: null } };
}
