import protobuf from 'protobufjs';

/**
 * Names of the types within each message, in the order in which a file declares them, by the name of the message in its
 * package (`Outer.Inner`). The entry of a map counts, where the map is declared: protoc numbers it among the others, and
 * so do those who name a message by its number. The parser keeps fields and types apart, so its objects do not tell.
 */
export type NestedOrder = ReadonlyMap<string, readonly string[]>;

const FILE = '';

export function nestedOrder(text: string): NestedOrder {
  const order = new Map<string, string[]>([[FILE, []]]);
  /** The message around the statement, and those around that; null: something else in braces. */
  const around: (string | null)[] = [FILE];
  let statement: string[] = [];
  for (const token of tokens(text)) {
    const outer = around.at(-1) ?? null;
    if (token === '{') {
      around.push(outer === null ? null : openedBy(statement, outer, order));
    } else if (token === '}') {
      around.pop();
    } else if (token === ';') {
      const entry = mapEntry(statement);
      if (entry !== null && outer !== null) order.get(outer)!.push(entry);
    } else {
      statement.push(token);
      continue;
    }
    statement = [];
  }
  return order;
}

/** The name that protoc gives to the entries of a map. */
export function mapEntryName(field: string): string {
  return `${field.replace(/(?:^|_)([a-z0-9]?)/gi, (_, first: string) => first.toUpperCase())}Entry`;
}

/** Tokens without texts and options in brackets, which may hold any others. */
function* tokens(text: string): Generator<string> {
  const { next } = protobuf.tokenize(text, false);
  let brackets = 0;
  for (let token = next(); token !== null; token = next()) {
    if (token === '"' || token === "'") {
      next();
      next();
    } else if (token === '[') brackets++;
    else if (token === ']') brackets--;
    else if (brackets === 0) yield token;
  }
}

/** The message whose types are declared in the braces behind the statement. */
function openedBy(statement: readonly string[], outer: string, order: Map<string, string[]>): string | null {
  const [first] = statement;
  const name = first === 'message' ? statement[1] : groupName(statement);
  if (name === undefined) return first === 'oneof' || first === 'extend' ? outer : null;
  const full = outer === FILE ? name : `${outer}.${name}`;
  order.get(outer)!.push(name);
  order.set(full, []);
  return full;
}

/** `optional group Name = 1`, and without `optional` in a oneof: proto2. */
function groupName(statement: readonly string[]): string | undefined {
  const at = statement[0] === 'group' ? 0 : 1;
  return statement[at] === 'group' && statement[at + 2] === '=' ? statement[at + 1] : undefined;
}

/** `map < key , value > name = 1` */
function mapEntry(statement: readonly string[]): string | null {
  if (statement[0] !== 'map' || statement[1] !== '<') return null;
  return mapEntryName(statement[statement.indexOf('>') + 1]!);
}
