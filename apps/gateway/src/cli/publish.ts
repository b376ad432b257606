import type { Command } from 'commander';
import { AdminClient, adminTokenOption, counted, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { badUsage } from './exit.js';
import { print, printJson } from './output.js';
import { jsonOption } from './produce.js';
import { userOption } from './token.js';

interface PublishFlags extends AdminFlags {
  readonly user?: string;
  readonly users?: readonly string[];
  readonly key?: string;
  readonly room?: string;
  readonly hub?: string;
  readonly broadcast?: true;
  readonly payload: string;
  readonly id?: string;
  readonly type?: string;
}

interface Published {
  readonly id: string;
  readonly routed: number;
  readonly stream?: string;
  readonly offset?: number;
}

const EXAMPLES = `
Examples:
  $ ws-gateway publish notifications --user u1 --payload '{"title":"Hello","body":"…"}'
  $ ws-gateway publish notifications --room lobby --payload '"hello"' --url http://gateway:8080`;

export function registerPublish(program: Command): void {
  program
    .command('publish')
    .description('send a message through the admin API, without Kafka')
    .argument('<topic>', 'a topic of the gateway')
    .option('--user <id>', 'to one user', userOption)
    .option('--users <ids>', 'to several users, separated by commas', (text) => text.split(',').map(userOption))
    .option('--key <key>', 'to those subscribed to a key of the topic', userOption)
    .option('--room <name>', 'to those in a room')
    .option('--hub <name>', 'to those in a hub')
    .option('--broadcast', 'to every connection, subscribed or not')
    .requiredOption('--payload <json>', 'the payload; it reaches clients byte for byte', jsonOption)
    .option('--id <text>', 'id of the message')
    .option('--type <text>', 'type of the message (default: that of the topic)')
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"id","routed","stream"?,"offset"?}')
    .addHelpText('after', EXAMPLES)
    .action(publish);
}

async function publish(topic: string, flags: PublishFlags): Promise<void> {
  const { user: user_id, users, key, room, hub, broadcast, id, type } = flags;
  const audiences = [user_id, users, key, room, hub, broadcast].filter((audience) => audience !== undefined);
  if (audiences.length !== 1) throw badUsage('one of --user, --users, --key, --room, --hub, --broadcast is needed');
  const members = JSON.stringify({ topic, user_id, users, key, room, hub, broadcast, id, type });
  // The payload is put in as it was written: nothing re-formats its numbers.
  const body = `${members.slice(0, -1)},"payload":${flags.payload}}`;
  const answer = await new AdminClient(flags).call<Published>('POST', '/api/publish', body);
  if (flags.json) return printJson(answer);
  const whereto = answer.routed === 0 ? 'nobody is there' : `handed to ${counted(answer.routed, 'node')}`;
  const position = answer.stream === undefined ? '' : `; ${answer.stream} is at offset ${answer.offset}`;
  print(`${answer.id}: ${whereto}${position}`);
}
