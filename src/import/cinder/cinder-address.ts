/**
 * Where a Cinder database is: `mysql://USER@HOST:PORT/DATABASE` or `postgresql://…`, as SQLAlchemy's URLs in `[database] connection` of
 * cinder.conf are written, `mysql+pymysql://` too. The password is never in it: it would stand in the list of processes.
 */
import { CinderUnreadable } from './cinder-unreadable.ts';

export interface CinderAddress {
  readonly dialect: 'mysql' | 'postgresql';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Path of a socket of this machine, in place of host and port. */
  readonly socket: string | null;
  readonly tls: Tls;
}

/** `preferred` takes TLS where the server has it and looks at no certificate. */
export interface Tls {
  readonly mode: 'disabled' | 'preferred' | 'required' | 'verify';
  /** Path of certificates (PEM) that vouch for the server. */
  readonly authorities: string | null;
}

const PORTS = { mysql: 3306, postgresql: 5432 } as const;

/** By the names that MySQL and PostgreSQL give them in their own URLs. */
const TLS_MODES: Readonly<Record<string, Tls['mode']>> = {
  disabled: 'disabled',
  disable: 'disabled',
  preferred: 'preferred',
  prefer: 'preferred',
  allow: 'preferred',
  required: 'required',
  require: 'required',
  verify_ca: 'verify',
  verify_identity: 'verify',
  'verify-ca': 'verify',
  'verify-full': 'verify',
};

/** Of SQLAlchemy's drivers for Python; they say nothing about where the database is. */
const OF_OTHERS = new Set(['charset', 'plugin', 'use_unicode', 'client_encoding', 'application_name']);

/** Throws `CinderUnreadable`. */
export function cinderAddress(text: string): CinderAddress {
  const [, scheme = '', rest = ''] =
    /^(mysql|mariadb|postgresql|postgres)(?:\+[a-z0-9_]+)?:\/\/(.*)$/s.exec(text) ?? [];
  if (scheme === '')
    throw new CinderUnreadable(
      'The address of the Cinder database is mysql://USER@HOST/DATABASE or postgresql://USER@HOST/DATABASE.',
    );
  const dialect = scheme.startsWith('p') ? 'postgresql' : 'mysql';
  const whole = `${dialect}://${rest}`;
  if (!URL.canParse(whole))
    throw new CinderUnreadable(
      'The address of the Cinder database is no URL; / @ : and % within a part of it are written %2F %40 %3A %25.',
    );
  const url = new URL(whole);
  if (url.password !== '')
    throw new CinderUnreadable(
      'The password stands in the address of the Cinder database, where others can see it. Put it into a file that only you can read, and name that with --password-file.',
    );
  const database = decoded(url.pathname.slice(1));
  if (database === '' || database.includes('/'))
    throw new CinderUnreadable('The address of the Cinder database ends with its name: …/cinder.');
  if (url.username === '') throw new CinderUnreadable('The address of the Cinder database says no user: USER@HOST.');
  return {
    dialect,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? PORTS[dialect] : Number(url.port),
    user: decoded(url.username),
    database,
    ...parameters(url.searchParams),
  };
}

function parameters(given: URLSearchParams): Pick<CinderAddress, 'socket' | 'tls'> {
  let socket: string | null = null;
  let mode: Tls['mode'] | undefined;
  let authorities: string | null = null;
  for (const [name, value] of given) {
    if (name === 'socket' || name === 'unix_socket') socket = value;
    else if (name === 'ssl-mode' || name === 'sslmode') {
      mode = TLS_MODES[value.toLowerCase()];
      if (mode === undefined) throw new CinderUnreadable(`${name}=${value} is no way to use TLS that is known.`);
    } else if (name === 'ssl-ca' || name === 'ssl_ca' || name === 'sslrootcert') authorities = value;
    else if (!OF_OTHERS.has(name))
      throw new CinderUnreadable(
        `${name} means nothing in the address of the Cinder database; known are socket, ssl-mode and ssl-ca.`,
      );
  }
  return { socket, tls: { mode: mode ?? (authorities === null ? 'preferred' : 'verify'), authorities } };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new CinderUnreadable('The address of the Cinder database is no URL; % is written %25 in it.');
  }
}

/** `[database] connection` of cinder.conf, which holds the password. Throws `CinderUnreadable`. */
export function connectionInConf(connection: string): { readonly address: CinderAddress; readonly password?: string } {
  const [whole, before = '', password, after = ''] = /^([^:]+:\/\/[^:/@]*)(?::([^/@]*))?(@.*)$/s.exec(connection) ?? [];
  if (whole === undefined) return { address: cinderAddress(connection) };
  const address = cinderAddress(before + after);
  return password === undefined ? { address } : { address, password: decoded(password) };
}

/** For messages. */
export const placeOf = ({ socket, host, port, database }: CinderAddress): string =>
  `${socket ?? `${host.includes(':') ? `[${host}]` : host}:${port}`}/${database}`;
