// Which tasks are shown, and in what order. Pure.

const {compare} = new Intl.Collator(undefined, {numeric: true});
const byText = (one, other) => one < other ? -1 : Number(one > other);

const byAge = (one, other) => byText(one.time_created, other.time_created) || byText(one.uuid, other.uuid);

const ORDERS = {
  newest: (one, other) => byAge(other, one),
  oldest: byAge,
  changed: (one, other) => byText(other.time_modified, one.time_modified) || byAge(other, one),
  name: (one, other) => compare(one.task, other.task) || byAge(one, other),
};

const FILTERS = {
  all: () => true,
  open: ({completed}) => !completed,
  done: ({completed}) => completed,
};

/** `matches(task)`, and `compare(one, other)`, by which no two tasks are equal. Every word of `search` must be in a task. */
export function makeView({search, filter, order}) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return {
    matches(task) {
      if (!FILTERS[filter](task)) {
        return false;
      }
      const text = words.length && `${task.task}\n${task.description}`.toLowerCase();
      return words.every((word) => text.includes(word));
    },
    compare: ORDERS[order],
  };
}

/** Where a task is, or belongs, among sorted ones. */
export function placeOf(task, sorted, compareTasks) {
  let from = 0, to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareTasks(sorted[middle], task) < 0) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}
