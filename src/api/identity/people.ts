/**
 * The users, projects and roles of the configuration, found by id or by name. There is one domain, `default`.
 *
 * An id that the configuration does not name is made from the name, so it is the same after every restart and on every host.
 */
import { createHash } from 'node:crypto';
import type { Config } from '../../lib/config/config.ts';

export interface Named {
  readonly id: string;
  readonly name: string;
}

export const DOMAIN: Named = { id: 'default', name: 'Default' };

export interface User extends Named {
  readonly passwordHash: string;
  readonly defaultProject: string | undefined;
  /** By the project's name. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
}

export interface ApplicationCredential extends Named {
  readonly secretHash: string;
  readonly user: User;
  readonly project: Named;
  /** Those of the user, or fewer. */
  readonly roles: readonly string[];
}

export class People {
  readonly users: readonly User[];
  readonly projects: readonly Named[];
  readonly credentials: readonly ApplicationCredential[];

  constructor({ users, projects, application_credentials: given }: Config['identity']) {
    this.projects = Object.entries(projects).map(([name, { id }]) => ({ id: id ?? idOf('project', name), name }));
    this.users = Object.entries(users).map(([name, user]) => ({
      id: user.id ?? idOf('user', name),
      name,
      passwordHash: user.password_hash,
      defaultProject: user.default_project,
      roles: user.roles,
    }));
    this.credentials = Object.entries(given).flatMap(([name, section]) => {
      const user = this.users.find((each) => each.name === section.user);
      const project = this.projects.find((each) => each.name === section.project);
      if (user === undefined || project === undefined) return [];
      const own = this.rolesOf(user, project);
      const roles = own.filter((role) => section.roles === undefined || section.roles.includes(role));
      return [
        { id: section.id ?? idOf('credential', name), name, secretHash: section.secret_hash, user, project, roles },
      ];
    });
  }

  user(wanted: Wanted): User | undefined {
    return this.users.find((each) => isWanted(each, wanted));
  }

  project(wanted: Wanted): Named | undefined {
    return this.projects.find((each) => isWanted(each, wanted));
  }

  credential(wanted: Wanted & { readonly user?: User | undefined }): ApplicationCredential | undefined {
    return this.credentials.find(
      (each) =>
        (wanted.id !== undefined && each.id === wanted.id) ||
        (wanted.name !== undefined && each.name === wanted.name && each.user === wanted.user),
    );
  }

  rolesOf(user: User, project: Named): readonly string[] {
    return Object.hasOwn(user.roles, project.name) ? (user.roles[project.name] ?? []) : [];
  }

  projectsOf(user: User): readonly Named[] {
    return this.projects.filter((project) => this.rolesOf(user, project).length > 0);
  }

  /** Every role that somebody has. */
  roles(): readonly string[] {
    const given = this.users.flatMap(({ roles }) => Object.values(roles).flat());
    return [...new Set(['admin', 'member', 'reader', ...given])].sort();
  }
}

/** An id, or a name. */
export interface Wanted {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

function isWanted(each: Named, { id, name }: Wanted): boolean {
  return id === undefined ? each.name === name : each.id === id && (name === undefined || each.name === name);
}

export function idOf(kind: string, name: string): string {
  return createHash('sha256').update(`${kind}:${name}`).digest('hex').slice(0, 32);
}
