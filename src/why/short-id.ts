/** A flow's id as people read and type it. */

/** Where what tells two ids apart has been said: ids begin with the time, and a count within the millisecond. */
const TELLING = 18;

/** As much of an id as is needed to type it. */
export const shortId = (id: string): string => id.slice(0, TELLING);
