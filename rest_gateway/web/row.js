// One task in the list. Its controls are native ones: a box, the text, which is a button to edit it, and a button to delete it.

const template = document.getElementById('row').content.firstElementChild;

export function makeRow(task) {
  const row = template.cloneNode(true);
  row.dataset.uuid = task.uuid;
  fillRow(row, task);
  return row;
}

export function fillRow(row, {uuid, task, description, completed}) {
  const [box, text, cross] = row.children;
  const [title, note] = text.children;
  box.checked = completed;
  box.setAttribute('aria-label', task);
  title.textContent = task;
  note.textContent = description;
  cross.setAttribute('aria-label', `Delete ${task}`);
  row.classList.toggle('done', completed);
}

/** The Tab key comes to one row of the list only, or it would need thousands of presses to get past. */
export function setReachable(row, reachable) {
  for (const control of row.children) {
    control.tabIndex = reachable ? 0 : -1;
  }
}
