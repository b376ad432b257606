import type { AdminClient } from './admin-client.js';
import { byId, el, onSubmit, setTone } from './dom.js';
import { formatTime } from './format.js';
import type { Tab } from './tabs.js';
import { stepText, type Step, type StepData } from './trace-text.js';

const STEPS_MAX = 500;

/** Adds the page that follows a user or a message and tells its story. */
export function addTrace(admin: AdminClient): Tab {
  const note = byId('trace-note');
  const steps = byId('steps');
  const stop = byId('trace-stop', HTMLButtonElement);
  const kind = byId('trace-kind', HTMLSelectElement);
  const name = byId('trace-name', HTMLInputElement);
  let following: AbortController | null = null;

  const end = (): void => {
    following?.abort();
    following = null;
    stop.disabled = true;
  };
  const show = (step: Step): void => {
    const { tone, text } = stepText(step);
    const word = el('span', 'word', step.event);
    word.dataset['tone'] = tone;
    const time = el('time', '', formatTime(new Date(step.data.timestamp ?? Date.now())));
    const where = el('span', 'mono faint', step.data.node ?? '');
    steps.append(el('li', '', time, word, el('span', 'grow', text, ' ', where)));
    while (steps.childElementCount > STEPS_MAX) steps.firstElementChild!.remove();
  };
  const follow = async (): Promise<void> => {
    end();
    const aborter = (following = new AbortController());
    steps.replaceChildren();
    const what = `${kind.value === 'user' ? '' : 'message '}${name.value}`;
    try {
      const path = `trace?${kind.value}=${encodeURIComponent(name.value)}`;
      const response = await admin.open(path, aborter.signal);
      stop.disabled = false;
      setTone(note, `Following ${what}.`, 'good');
      await read(response.body!, show);
      if (following === aborter) setTone(note, `${what} is not followed any more: the time is over.`, 'plain');
    } catch (error) {
      if (following === aborter) setTone(note, (error as Error).message, 'bad');
      else if (following === null) setTone(note, `${what} is not followed any more.`, 'plain');
    }
    if (following === aborter) end();
  };
  onSubmit(byId('trace', HTMLFormElement), () => follow());
  stop.addEventListener('click', () => {
    end();
    name.focus();
  });
  return { name: 'trace' };
}

async function read(body: ReadableStream<Uint8Array>, show: (step: Step) => void): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (text + value).split('\n\n');
    text = events.pop()!;
    for (const event of events) {
      const match = /^event: (.*)\ndata: (.*)$/.exec(event);
      if (match !== null && match[1] !== 'end') show({ event: match[1]!, data: JSON.parse(match[2]!) as StepData });
    }
  }
}
