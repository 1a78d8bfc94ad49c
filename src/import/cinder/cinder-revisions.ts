/**
 * The revisions of Cinder's schema that can be read: what `alembic_version` says, and which release brought it. No table and no column
 * that is read here came or went between the first and the last of them.
 */

export interface CinderRevision {
  /** As `alembic_version` has it. */
  readonly id: string;
  /** `Zed`, `2024.1`; `unknown` where it was said to be read all the same. */
  readonly release: string;
}

/** Oldest first. */
export const CINDER_REVISIONS: readonly CinderRevision[] = [
  { id: '921e1a36b076', release: 'Xena or Yoga' },
  { id: 'c92a3e68beed', release: 'Zed' },
  { id: 'daa98075b90d', release: '2023.1' },
  { id: '89aa6f9639f9', release: '2023.2' },
  { id: 'b8660621f1b9', release: '2024.1, half upgraded' },
  { id: '9ab1b092a404', release: '2024.1, half upgraded' },
  { id: 'b7b88f50aab5', release: '2024.1, half upgraded' },
  { id: '9c74c1c6971f', release: '2024.1 to 2026.1' },
  { id: '385d1313da9a', release: 'newer than 2026.1' },
];

export const OLDEST_RELEASE = 'Xena';
