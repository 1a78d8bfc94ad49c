/**
 * Names of files in a backend's directory: a function of the id alone, and back again.
 *
 *   volume-<id>, snapshot-<id>                 whole and durable
 *   cached-image-<id>                          the same, of an image that is kept to make volumes of
 *   backup-<id>                                the same, of what a backup is read from
 *   .tmp-volume-<id>.<unique>                  being made; means nothing, may be removed
 *   .del-volume-<id>                           given up for deletion, as good as gone
 *   .moment-snapshot-<id>                      snapshots of one moment, of which <id> is the first, may be published
 *   .unmanaged-volume-<id>                     beside volume-<id>: given back to the operator under this very name
 *
 * Temporaries are unique for each attempt: a copying program that outlives the process that started it goes on writing
 * into a file of its own, and never into the one of the attempt that came after.
 */
import { uuid } from '../../lib/clock.ts';
import { DriverFailed } from '../../model/errors.ts';
import type { ObjectKind } from '../driver.ts';

export interface Owner {
  readonly kind: ObjectKind;
  readonly id: string;
}

/** As in cinder.conf: `%s` stands for the id. */
export interface NameTemplates {
  readonly volume: string;
  readonly snapshot: string;
}

/** No client names them, so nobody configures these. */
const OWN_TEMPLATES = { image: 'cached-image-%s', backup: 'backup-%s' } as const;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export class Names {
  readonly #templates: Readonly<Record<ObjectKind, string>>;

  constructor(templates: NameTemplates) {
    for (const template of Object.values(templates)) {
      if (!/^[\w-][\w.-]*$/.test(template.replace('%s', 'id')) || template.split('%s').length !== 2) {
        throw new TypeError(`A name template holds %s once and no separators or leading dot: "${template}".`);
      }
    }
    this.#templates = { ...templates, ...OWN_TEMPLATES };
  }

  of(kind: Owner['kind'], id: string): string {
    if (!UUID.test(id)) throw new DriverFailed(`"${id}" is not the id of a ${kind}.`);
    return this.#templates[kind].replace('%s', id);
  }

  /** Whose full name this is; null for a name that is not ours. */
  owner(name: string): Owner | null {
    for (const kind of ['volume', 'snapshot', 'image', 'backup'] as const) {
      const [before = '', after = ''] = this.#templates[kind].split('%s');
      if (!name.startsWith(before) || !name.endsWith(after)) continue;
      const id = name.slice(before.length, name.length - after.length);
      if (UUID.test(id)) return { kind, id };
    }
    return null;
  }

  /** Whose temporary this is; null for any other name. */
  temporaryOwner(name: string): Owner | null {
    for (const mark of [doomed(''), momentMark('')])
      if (name.startsWith(mark)) return this.owner(name.slice(mark.length));
    const [, full, attempt] = /^\.tmp-(.+)\.([0-9a-f-]+)$/.exec(name) ?? [];
    return full && attempt && UUID.test(attempt) ? this.owner(full) : null;
  }

  /** Whose mark of being unmanaged this is; null for any other name. */
  unmanagedOwner(name: string): Owner | null {
    return name.startsWith('.unmanaged-') ? this.owner(name.slice(11)) : null;
  }
}

export const temporary = (full: string): string => `.tmp-${full}.${uuid()}`;
export const doomed = (full: string): string => `.del-${full}`;
export const momentMark = (full: string): string => `.moment-${full}`;
export const unmanagedMark = (full: string): string => `.unmanaged-${full}`;
