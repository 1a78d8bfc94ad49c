/** The page begins. */
import { render } from 'preact';
import { App } from './app.tsx';
import { live } from './live.ts';
import { readStanding } from './sign-in.tsx';

render(<App />, document.body);
live(() => void readStanding().catch(() => {}));
