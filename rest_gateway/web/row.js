// One task in the list. Its controls are native ones: a box, the text, which is a button to edit it, and a button to delete it.

const template = document.getElementById('row').content.firstElementChild;

export function makeRow(uuid) {
  const row = template.cloneNode(true);
  row.dataset.uuid = uuid;
  return row;
}

/** `waits`: it is not all on the server yet. */
export function fillRow(row, {task, description, completed}, waits) {
  const [box, text, cross] = row.children;
  const [title, note] = text.children;
  box.checked = completed;
  box.setAttribute('aria-label', task);
  title.textContent = task;
  note.textContent = description;
  cross.setAttribute('aria-label', `Delete ${task}`);
  row.classList.toggle('done', completed);
  row.classList.toggle('waits', waits);
}

/** The Tab key comes to one row of the list only, or it would need thousands of presses to get past. */
export function setReachable(row, reachable) {
  for (const control of row.children) {
    control.tabIndex = reachable ? 0 : -1;
  }
}
