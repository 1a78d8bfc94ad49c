/**
 * Stack traces of the bundle, in the words of the sources.
 *
 * Node can do it itself (`--enable-source-maps`), but reads every map as the program is loaded: 10 MB, and a third more work at a
 * start. Here a map is read when the stack of an error is first looked at, and let go again. What is kept is the place that
 * each frame was translated to, since the errors of a bad hour come from few places.
 */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

/** An unbuilt program it leaves as it is. */
export function nameSources(): void {
  if (import.meta.filename.endsWith('.ts')) return;
  const bundle = new URL('.', import.meta.url).href;
  const known = new Map<string, string>();
  Error.prepareStackTrace = (error, frames) => {
    const maps = new Map<string, SourceMap | undefined>();
    const lines = frames.map((frame) => {
      const url = frame.getScriptNameOrSourceURL() ?? '';
      if (!url.startsWith(bundle)) return frame.toString();
      const [line, column] = [frame.getLineNumber() ?? 1, frame.getColumnNumber() ?? 1];
      const place = `${url}:${line}:${column}`;
      if (!maps.has(url) && !known.has(place)) maps.set(url, mapOf(url));
      const source = known.get(place) ?? sourceOf(maps.get(url), url, line, column) ?? place;
      known.set(place, source);
      return frame.toString().replace(place, () => source);
    });
    return [String(error), ...lines.map((line) => `    at ${line}`)].join('\n');
  };
}

/** Undefined when it is gone: a service may live longer than the files it was started from. */
function mapOf(url: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Undefined for a package's code, which the maps leave out. */
function sourceOf(map: SourceMap | undefined, url: string, line: number, column: number): string | undefined {
  const origin = map?.findOrigin(line, column);
  if (origin === undefined || !('fileName' in origin) || !origin.fileName) return undefined;
  return `${new URL(origin.fileName, url)}:${origin.lineNumber}:${origin.columnNumber}`;
}
