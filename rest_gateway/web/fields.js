// What the fields of a task may hold, said before it is sent.

const MOST = {task: 255, description: 10_000};

/** The problem that the fields have, as a text; '' where they have none. */
export function problemOf(fields) {
  if (fields.task === '') {
    return 'A task needs some words.';
  }
  for (const [name, most] of Object.entries(MOST)) {
    const length = [...fields[name] ?? ''].length; // in characters, as the server counts
    if (length > most) {
      return `At most ${most.toLocaleString()} characters, please; these are ${length.toLocaleString()}.`;
    }
  }
  return '';
}
