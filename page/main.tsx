/** The page begins. */
import { render } from 'preact';
import { App } from './app.tsx';
import { live } from './live.ts';

render(<App />, document.body);
live();
