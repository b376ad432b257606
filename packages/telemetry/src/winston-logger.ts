import type { Writable } from 'node:stream';
import type { Logger } from '@ws-gateway/core';
import winston from 'winston';
import { jsonLine } from './json-line.js';
import type { LogEvent } from './log-event.js';
import { LineSink } from './line-sink.js';
import { prettyLine } from './pretty-line.js';
import { textMask } from './redaction.js';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'json' | 'pretty';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Fields of every line: node id, version and the like. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Names of query parameters that carry tokens (`auth.queryParams`); default `token` and `t`. */
  readonly tokenParams?: readonly string[];
  /** Stream that also gets every line, as JSON whatever the format. */
  readonly loki?: Writable | null;
  /** Stream of the lines; default: standard output. */
  readonly stream?: Writable & { readonly isTTY?: boolean };
}

/** A logger whose level can change while it is used, its children's too. */
export interface LeveledLogger extends Logger {
  setLevel(level: LogLevel): void;
}

const LEVELS = { error: 0, warn: 1, info: 2, debug: 3 } as const;
/** Key under which winston expects the finished line (triple-beam's MESSAGE). */
const MESSAGE = Symbol.for('message');

/**
 * Makes a logger over winston: one line for each event, errors with their code, and nothing that looks like a token or
 * a secret, whoever logged it. A level that is off costs a comparison. Writing never blocks and never throws: when
 * standard output is closed or not read, lines are dropped and counted (see LineSink).
 */
export function createLogger(options: LoggerOptions): LeveledLogger {
  const stream = options.stream ?? process.stdout;
  const mask = textMask(options.tokenParams ?? ['token', 't']);
  const level = { max: LEVELS[options.level] as number };
  const colors = stream.isTTY === true;
  const json = (event: LogEvent) => mask(jsonLine(event, level.max >= LEVELS.debug));
  const pretty = (event: LogEvent) => mask(prettyLine(event, { withStack: level.max >= LEVELS.debug, colors }));
  const line = options.format === 'json' ? json : pretty;
  const sink = new LineSink(stream, (dropped) =>
    line({ level: 'warn', message: 'log lines dropped', fields: { dropped }, timestamp: new Date() }),
  );
  const transports = [new winston.transports.Stream({ stream: sink, eol: '\n' })];
  if (options.loki) {
    const format = options.format === 'json' ? {} : { format: finished(json) };
    transports.push(new winston.transports.Stream({ stream: options.loki, eol: '\n', ...format }));
  }
  const logger = winston.createLogger({ level: 'debug', levels: LEVELS, format: finished(line), transports });
  return new WinstonLogger(logger, level, options.fields ?? {});
}

function finished(line: (event: LogEvent) => string): winston.Logform.Format {
  return winston.format((info) => {
    info[MESSAGE] = line({ ...(info as unknown as LogEvent), timestamp: new Date() });
    return info;
  })();
}

class WinstonLogger implements LeveledLogger {
  readonly #winston: winston.Logger;
  /** Number of the least important level that is written; one object for a logger and all its children. */
  readonly #level: { max: number };
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(logger: winston.Logger, level: { max: number }, fields: Readonly<Record<string, unknown>>) {
    this.#winston = logger;
    this.#level = level;
    this.#fields = fields;
  }

  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#write('error', message, fields);
  }

  warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.#level.max >= LEVELS.warn) this.#write('warn', message, fields);
  }

  info(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.#level.max >= LEVELS.info) this.#write('info', message, fields);
  }

  debug(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.#level.max >= LEVELS.debug) this.#write('debug', message, fields);
  }

  setLevel(level: LogLevel): void {
    this.#level.max = LEVELS[level];
  }

  child(fields: Readonly<Record<string, unknown>>): Logger {
    return new WinstonLogger(this.#winston, this.#level, { ...this.#fields, ...fields });
  }

  /**
   * Passes the fields as one member: winston gives names like `message` and `level` among them a meaning of its own.
   */
  #write(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#winston.log({ level, message, fields: fields === undefined ? this.#fields : { ...this.#fields, ...fields } });
  }
}
