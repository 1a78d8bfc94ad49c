/** Opens a database as a server, takes a name, and lives until it is killed. */
import { openDatabase } from '../../../src/db/database.ts';

const [url = '', name = ''] = process.argv.slice(2);
const database = await openDatabase(url, { as: 'server' });
console.log((await database.ownership.take(name)) ? 'taken' : 'refused');
setInterval(() => {}, 1 << 30);
