import {
  closeCodes,
  rejectionCodes,
  pipeErrorCodes,
  refusalCloseCode,
  refusalStatuses,
  requestErrorCodes,
  type CloseName,
} from '@ws-gateway/core';
import { outcomeCodes } from '@ws-gateway/http-backends';
import { transportStatuses } from '@ws-gateway/uws-transport';
import { adminStatuses } from '../admin/admin-error.js';
import { exitCodes } from '../cli/exit.js';
import * as texts from './error-texts.js';

type Numbers<Code extends string> = Readonly<Record<Code, number>>;
type Texts<Code extends string> = Readonly<Record<Code, texts.Text>>;
type Row = readonly string[];

/** docs/errors.md, from the tables that the code itself answers by. */
export function errorDocs(): string {
  return [
    HEAD,
    refusalSection(),
    section('Other HTTP answers of the port', TRANSPORT, numbered(transportStatuses, texts.transportTexts)),
    section('Answers to commands', COMMANDS, named(requestErrorCodes, texts.requestTexts)),
    section('Answers to commands that call a backend', BACKENDS, named(outcomeCodes, texts.outcomeTexts)),
    closeSection(),
    section('Dead letters', DEAD_LETTERS, named(rejectionCodes, texts.deadLetterTexts)),
    section('Admin API', ADMIN, numbered(adminStatuses, texts.adminTexts)),
    section('Backend links', LINKS, named(pipeErrorCodes, texts.linkTexts)),
    section('Exit codes', EXITS, numbered(exitCodes, texts.exitTexts)),
    '<!-- prettier-ignore-end -->\n',
  ].join('\n');
}

function section(title: string, introduction: string, rows: readonly Row[]): string {
  return `## ${title}\n\n${introduction}\n\n${table(['code', 'meaning', 'what to do'], rows)}`;
}

function refusalSection(): string {
  const rows = (Object.keys(refusalStatuses) as (keyof typeof refusalStatuses)[]).map((code): Row => {
    const status = refusalStatuses[code];
    return [`${status} \`${code}\``, `${refusalCloseCode({ status, code })}`, ...texts.refusalTexts[code]];
  });
  return `## Refused handshakes\n\n${REFUSED}\n\n${table(['code', 'close', 'meaning', 'what to do'], rows)}`;
}

function closeSection(): string {
  const own = (Object.keys(closeCodes) as CloseName[]).map((name): Row => {
    const code = closeCodes[name];
    return [`${code} \`${name}\``, code < 4500 ? 'yes' : 'no', ...texts.closeTexts[name]];
  });
  const wire = Object.entries(texts.wireCloseTexts).map(([code, text]): Row => [code, '', ...text]);
  return `## Close codes\n\n${CLOSES}\n\n${table(['code', 'reconnect', 'meaning', 'what to do'], [...own, ...wire])}`;
}

function numbered<Code extends string>(numbers: Numbers<Code>, meanings: Texts<Code>): Row[] {
  return (Object.keys(numbers) as Code[]).map((code) => [`${numbers[code]} \`${code}\``, ...meanings[code]]);
}

function named<Code extends string>(codes: readonly Code[], meanings: Texts<Code>): Row[] {
  return codes.map((code) => [`\`${code}\``, ...meanings[code]]);
}

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |\n`;
  return [head, head.map(() => '---'), ...rows].map(line).join('');
}

const HEAD = `# Errors

<!-- Made by \`npm run docs\` from the tables of the code (apps/gateway/src/docs/error-texts.ts). Do not edit. -->
<!-- prettier-ignore-start -->

Branch on codes, never on messages. Clients: [packages/client](../packages/client/README.md) does all of this already.
`;

const REFUSED = `HTTP instead of a WebSocket, with \`{"error":{"code","message"}}\`; or, for a client that offers the subprotocol
\`wsg.v1\`, a frame \`refused\` with \`code\`, \`message\` and \`http\`, and a close (see [protocol.md](protocol.md#being-refused)).
\`origin_forbidden\`, \`unknown_endpoint\` and \`unavailable\` for too many handshakes at once are always HTTP. By command the same codes come as an answer with
status \`forbidden\` (\`error\` for \`bad_request\` and \`unavailable\`); some of them only there.`;
const TRANSPORT = 'Of the same form. Request line and headers over 16 kB: 431, without a body.';
const COMMANDS = `\`{"rid","event","status":"error","payload":{"code","message"}}\`, besides the codes above. \`bad_request\`,
\`unknown_command\` and \`duplicate_rid\` count towards \`limits.badRequests\`, after which the close is 4502.`;
const BACKENDS = "A backend's own `code` and `message` are passed on; these are the gateway's.";
const CLOSES = `4000-4499 ask the client to reconnect (with jitter, bringing its positions), 4500-4999 not to. Those of refused
handshakes (4129, 4203, 46xx) are above. A backend behind
\`backends.ws\` may close with 1000 or any 3000-4999 code of its own.`;
const DEAD_LETTERS = `Header \`dlq-error\` of a record in \`<group>-dlq\` (\`kafka.deadLetterTopic\`), label \`reason\` of
\`kafka_dead_letters_total\`. Value, key and headers are as they were; \`dlq-message\` says more. Mended, write it to its own topic again.`;
const ADMIN = '`{"error":{"code","message"}}`; see [admin-api.md](admin-api.md).';
const LINKS = `\`{"user","event":"error","action","code","message"}\` to the backend; the link stays. See
[backend-links.md](backend-links.md).`;
const EXITS = 'Of `ws-gateway`, whatever the command.';
