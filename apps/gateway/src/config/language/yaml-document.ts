import { constructFromEvents, EVENT_ID, getScalarValue, parseEvents, YAMLException, type Event } from 'js-yaml';

/** Place in a file. Both numbers count from 1, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlDocument {
  /** Value of the file; undefined for an empty one. */
  readonly value: unknown;
  /** Position of each key and list element, by path such as `hubs[0].name`. What an alias repeats has none. */
  readonly positions: ReadonlyMap<string, Position>;
}

/** A text that is not one YAML document. The message quotes nothing of it: a line may hold a secret. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
}

export function readYaml(source: string): YamlDocument {
  try {
    const events = parseEvents(source, {});
    const documents = constructFromEvents(events, { source });
    if (documents.length > 1) throw new YamlError('holds more than one YAML document');
    return { value: documents[0], positions: positionsOf(source, events) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    const place = mark === undefined ? '' : `, line ${mark.line + 1}, column ${mark.column + 1}`;
    throw new YamlError(`is not YAML: ${reason}${place}`, { cause: error });
  }
}

function positionsOf(source: string, events: readonly Event[]): Map<string, Position> {
  const positions = new Map<string, Position>();
  const lineStarts = [0, ...Array.from(source.matchAll(/\n/g), ({ index }) => index + 1)];
  let at = 0;
  const note = (path: string, offset: number): void => {
    const line = lineStarts.findLastIndex((start) => start <= offset);
    positions.set(path, { line: line + 1, column: offset - lineStarts[line]! + 1 });
  };
  /** Reads the value that begins at `at` and leaves `at` behind it. */
  const walk = (path: string): void => {
    const event = events[at++]!;
    if (event.type === EVENT_ID.MAPPING) {
      while (events[at]!.type !== EVENT_ID.POP) walkEntry(path);
      at++;
    } else if (event.type === EVENT_ID.SEQUENCE) {
      for (let index = 0; events[at]!.type !== EVENT_ID.POP; index++) {
        const element = `${path}[${index}]`;
        note(element, startOf(events[at]!));
        walk(element);
      }
      at++;
    }
  };
  const walkEntry = (path: string): void => {
    const key = events[at]!;
    if (key.type !== EVENT_ID.SCALAR) {
      // This key is a map or a list itself, which no key of a configuration is.
      walk(path);
      return walk(path);
    }
    at++;
    const name = getScalarValue(source, key);
    const inner = path === '' ? name : `${path}.${name}`;
    note(inner, key.valueStart);
    walk(inner);
  };
  while (at < events.length) {
    if (events[at++]!.type === EVENT_ID.DOCUMENT && events[at]?.type !== EVENT_ID.POP) walk('');
  }
  return positions;
}

function startOf(event: Event): number {
  switch (event.type) {
    case EVENT_ID.SCALAR:
      return event.valueStart;
    case EVENT_ID.MAPPING:
    case EVENT_ID.SEQUENCE:
      return event.start;
    case EVENT_ID.ALIAS:
      return event.anchorStart;
    default:
      return 0;
  }
}
