// What becomes of a change that the server refused because somebody else was faster. Pure.

/**
 * `again`: fields that they left alone, so mine can be written on top of theirs; `clashes`: those that both have changed, to
 * different values. What both made the same is neither.
 */
export function compareFields(base, mine, theirs) {
  const again = {}, clashes = {};
  for (const [name, value] of Object.entries(mine)) {
    if (value === base[name] || value === theirs[name]) {
      continue;
    }
    (theirs[name] === base[name] ? again : clashes)[name] = value;
  }
  return {again, clashes};
}

/** Failed writes to one task, in order, as one: the task before them, what they changed, and the reason of the first. */
export function combine(failures) {
  const [{error, write: {taskId, base}}] = failures;
  const writes = failures.map(({write}) => write);
  return {
    taskId,
    base,
    error,
    deleted: writes.some((write) => write.mode === 'delete'),
    fields: Object.assign({}, ...writes.map((write) => write.fields)),
  };
}
