/** The symbol of an operating system's error, as in errno(3): `ENOSPC`. Undefined: it is no such error. */
export function errno(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
