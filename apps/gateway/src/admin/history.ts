import {
  HISTORY_LIMIT,
  HISTORY_LIMIT_MAX,
  historyBytesMax,
  readHistory,
  type HttpRequest,
  type Position,
  type RetainedStream,
  type Retention,
  type TopicPolicy,
} from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import { JsonText, type AdminDeps } from './route-context.js';

const POSITION = /^([A-Za-z0-9]{1,32}):(\d{1,15})$/;
/** `<topic>/*`, `<topic>/u/<user>`, `<topic>/k/<key>`. */
const STREAM_OF_TOPIC = /^([^/]+)\/(?:\*|u\/([\s\S]+)|k\/[\s\S]+)$/;

/** Reads a stream as the command `history` does, whoever it belongs to. */
export async function history(deps: AdminDeps, request: HttpRequest): Promise<JsonText> {
  const stream = retainedStream(deps, request.params['stream'] ?? '');
  const query = new URLSearchParams(request.query);
  const limit = limitOf(query.get('limit'));
  const bytesMax = historyBytesMax(deps.historyBytes());
  const after = positionOf(query.get('after'));
  return new JsonText(await readHistory(deps.engine, stream, { after, limit, bytesMax }));
}

function limitOf(text: string | null): number {
  if (text === null) return HISTORY_LIMIT;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit === 0) throw new AdminError('bad_request', 'limit: a whole number from 1');
  return Math.min(limit, HISTORY_LIMIT_MAX);
}

function positionOf(text: string | null): Position | null {
  if (text === null) return null;
  const match = POSITION.exec(text);
  if (match === null) throw new AdminError('bad_request', 'after: <epoch>:<offset>');
  return { epoch: match[1]!, offset: Number(match[2]) };
}

function retainedStream({ topics, roomRetention }: AdminDeps, stream: string): RetainedStream {
  const keeping = (retention: Retention | null, user: string | null): RetainedStream => {
    if (retention === null) throw new AdminError('bad_request', `stream: ${stream} keeps no history`);
    return { stream, retention, user };
  };
  if (/^room\/./.test(stream)) return keeping(roomRetention, null);
  if (/^hub\/./.test(stream)) return keeping(null, null);
  if (/^sub\/./.test(stream)) return keeping(subscriptionPolicy(topics)?.retention ?? null, null);
  const match = STREAM_OF_TOPIC.exec(stream);
  if (match === null) {
    throw new AdminError('bad_request', 'stream: <topic>/u/<user>, <topic>/k/<key>, <topic>/* or room/<room>');
  }
  const [, topic = '', user = null] = match;
  const policy = topics.get(topic);
  if (policy !== undefined) return keeping(policy.retention, user);
  throw new AdminError('unknown_topic', `no topic of this name; there are: ${[...topics.keys()].join(', ')}`);
}

/** Topic that feeds the streams of subscription ids. */
function subscriptionPolicy(topics: AdminDeps['topics']): TopicPolicy | undefined {
  return [...topics.values()].find(({ format }) => format === 'wss');
}
