/** A format of JSON schemas: text that is bounded by its bytes, as databases and Glance bound what they call text. */
export const LONG_TEXT = 'text of at most 65535 bytes';

/** Bytes of UTF-8. */
export const isLongText = (text: string): boolean => Buffer.byteLength(text) <= 65_535;
