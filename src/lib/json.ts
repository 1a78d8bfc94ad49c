/** JSON values: the only kind of value that may cross a crash. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
