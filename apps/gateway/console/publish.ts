import type { AdminClient } from './admin-client.js';
import { byId, el, onSubmit, setTone } from './dom.js';

const EXAMPLE = '{"title": "Hello", "body": "from the console"}';

interface Published {
  readonly id: string;
  readonly routed: number;
  readonly stream?: string;
  readonly offset?: number;
}

/**
 * Adds the form that publishes one message by POST /api/publish: as a record of the topic, without the way through
 * Kafka.
 */
export function addPublishForm(admin: AdminClient, topics: readonly string[]): void {
  const topic = byId('publish-topic', HTMLSelectElement);
  const kind = byId('publish-kind', HTMLSelectElement);
  const name = byId('publish-name', HTMLInputElement);
  const payload = byId('publish-payload', HTMLTextAreaElement);
  topic.append(...topics.map((each) => el('option', '', each)));
  if (topics.includes('notifications')) topic.value = 'notifications';
  payload.value = EXAMPLE;
  kind.addEventListener('change', () => {
    const everybody = kind.value === 'broadcast';
    byId('publish-name-label').hidden = everybody;
    name.required = !everybody;
  });

  onSubmit(byId('publish', HTMLFormElement), async () => {
    const audience = kind.value === 'broadcast' ? 'true' : JSON.stringify(name.value);
    try {
      JSON.parse(payload.value);
      // The payload is not parsed and written again: clients should get the very bytes.
      const members = `"topic":${JSON.stringify(topic.value)},${JSON.stringify(kind.value)}:${audience}`;
      const answer = await admin.call<Published>('POST', 'publish', `{${members},"payload":${payload.value}}`);
      const place = answer.stream === undefined ? '' : `, ${answer.stream} #${answer.offset}`;
      setTone(byId('publish-note'), `Sent to ${answer.routed} node${answer.routed === 1 ? '' : 's'}${place}.`, 'good');
    } catch (error) {
      setTone(byId('publish-note'), (error as Error).message, 'bad');
    }
  });
}
