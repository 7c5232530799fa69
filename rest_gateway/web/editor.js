// Editing a task in its row. What others change meanwhile is taken in, or, where both have changed the same, shown.

import {compareFields} from './merge.js';
import {problemOf} from './fields.js';

const template = document.getElementById('editor').content.firstElementChild;

/**
 * Returns `{uuid, rebase(task), close()}`. `save` gets the fields that are to be written, and all; `closed` is told at the end
 * whether the focus was in the editor.
 */
export function openEditor(row, task, {save, closed}) {
  const form = template.cloneNode(true);
  const [title, description] = form.elements;
  const [problem, clash] = form.querySelectorAll('p');
  const controls = [...row.children];
  let base = task;

  const mine = () => ({task: title.value.trim(), description: description.value.trim()});
  const changed = () => Object.fromEntries(Object.entries(mine()).filter(([name, value]) => value !== base[name]));

  function close() {
    const hadFocus = form.contains(document.activeElement);
    row.replaceChildren(...controls);
    row.classList.remove('editing');
    closed(hadFocus);
  }

  function submit() {
    problem.textContent = problemOf(mine());
    if (problem.textContent) {
      title.focus();
      return;
    }
    const fields = changed();
    if (Object.keys(fields).length) {
      save(fields, mine());
    }
    close();
  }

  function rebase(theirs) {
    if (!theirs) {
      problem.textContent = 'Deleted elsewhere. Save makes it again.';
      base = {};
      return;
    }
    const {again, clashes} = compareFields(base, mine(), theirs);
    for (const field of [title, description]) {
      if (!(field.name in again) && !(field.name in clashes)) {
        field.value = theirs[field.name];
      }
    }
    base = theirs;
    clash.hidden = !Object.keys(clashes).length;
    clash.querySelector('q').textContent = Object.keys(clashes).map((name) => theirs[name]).join(' · ');
  }

  [title.value, description.value] = [task.task, task.description];
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener('keydown', (event) => {
    if (event.isComposing) {
      return;
    }
    if (event.key === 'Escape') {
      close();
    } else if (event.key === 'Enter' && event.ctrlKey) {
      submit();
    }
  });
  form.querySelector('div .quiet').addEventListener('click', close);
  clash.querySelector('button').addEventListener('click', () => {
    [title.value, description.value] = [base.task, base.description];
    clash.hidden = true;
    title.focus();
  });
  row.replaceChildren(form);
  row.classList.add('editing');
  title.focus();
  return {uuid: task.uuid, rebase, close};
}
