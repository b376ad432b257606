import { byId, setText } from './dom.js';

/** Asks before something that cannot be taken back. Escape and Cancel say no. */
export function confirmed(question: { title: string; text: string; yes: string }): Promise<boolean> {
  const dialog = byId('confirm', HTMLDialogElement);
  setText(byId('confirm-title'), question.title);
  setText(byId('confirm-text'), question.text);
  setText(byId('confirm-yes'), question.yes);
  // A dialog keeps the value that it was closed with the last time.
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
