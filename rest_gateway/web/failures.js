// Writes that the server refused. What can be done without asking is done; for the rest there is a card with a choice.

import {Conflict, Invalid, NotFound} from './taskbeam.js';
import {combine, compareFields} from './merge.js';
import {notify, quoted, say} from './notices.js';

const template = document.getElementById('failure').content.firstElementChild;
export class Failures {
  #section;
  #title;
  #write;
  #notice = null;
  #new = new Map(); // by id of the task: failures that come together
  #open = new Map(); // by id of the task: what failed, and its card
  #channel = new BroadcastChannel('taskbeam-failures'); // to other tabs: which task one sees to

  /** `write`: {create(fields), update(uuid, fields), remove(uuid), current(uuid)}. */
  constructor(section, write) {
    this.#section = section;
    this.#title = section.querySelector('h2');
    this.#write = write;
    this.#channel.onmessage = ({data}) => {
      clearTimeout(this.#new.get(data)?.timer);
      this.#new.delete(data);
    };
  }

  /** An event of the client's, which comes to all tabs. The one that has made the write sees to it; another one, if that is gone. */
  add({error, write, own}) {
    const {taskId} = write;
    const failures = this.#new.get(taskId)?.failures ?? [];
    if (failures.push({error, write}) === 1) {
      const timer = setTimeout(() => {
        this.#new.delete(taskId);
        this.#channel.postMessage(taskId);
        this.#decide(combine(failures));
      }, own ? 0 : document.hidden ? 900 : 300 + 300 * Math.random());
      this.#new.set(taskId, {failures, timer});
    }
  }

  /** These tasks have changed: what the cards say of them may be old. */
  apply(uuids) {
    for (const uuid of uuids) {
      const {failed} = this.#open.get(uuid) ?? {};
      if (failed && isOutdated(failed.error)) {
        this.#decide(failed);
      }
    }
  }

  clear() {
    this.#open.forEach(({card}) => card.remove());
    this.#open.clear();
    this.#show();
  }

  #decide(failed) {
    const {taskId, base, error, fields, deleted} = failed;
    const theirs = this.#write.current(taskId);
    const name = quoted({...base, ...fields}.task);
    this.#close(taskId);
    if (!isOutdated(error)) {
      this.#ask(failed, `${name} was not saved. ${reasonOf(error)}`, {}, {
        'Try again': () => this.#again(failed, theirs),
        'Let it go': () => {},
      });
    } else if (deleted) {
      theirs && this.#ask(failed, `You deleted ${quoted(base.task)}. Meanwhile it was changed elsewhere.`, {Now: describe(changed(base, theirs))}, {
        'Delete it': () => this.#write.remove(taskId),
        'Keep it': () => {},
      });
    } else if (!theirs) {
      this.#ask(failed, `${quoted(base.task)} was deleted elsewhere while you changed it.`, {Yours: describe(fields)}, {
        'Make it again': () => this.#again(failed, null),
        'Let it go': () => {},
      });
    } else {
      this.#merge(failed, theirs);
    }
  }

  #merge({taskId, base, error, fields}, theirs) {
    const {again, clashes} = compareFields(base, fields, theirs);
    if (Object.keys(again).length) {
      this.#write.update(taskId, again);
    }
    if (Object.keys(clashes).length) {
      const now = Object.fromEntries(Object.keys(clashes).map((name) => [name, theirs[name]]));
      this.#ask({taskId, base, error, fields: clashes}, `${quoted(base.task)} was changed elsewhere, too.`,
        {Yours: describe(clashes), Theirs: describe(now)}, {
          'Keep mine': () => this.#write.update(taskId, clashes),
          'Keep theirs': () => {},
        });
    }
  }

  #again({base, fields, taskId, deleted}, theirs) {
    if (!theirs) {
      const {task, description, completed} = {...base, ...fields};
      this.#write.create({task, description, completed});
    } else if (deleted) {
      this.#write.remove(taskId);
    } else {
      this.#write.update(taskId, fields);
    }
  }

  #ask(failed, text, values, choices) {
    const card = template.cloneNode(true);
    const [paragraph, list, buttons] = card.children;
    paragraph.textContent = text;
    for (const [name, value] of Object.entries(values)) {
      list.append(element('dt', name), element('dd', value));
    }
    for (const [label, run] of Object.entries(choices)) {
      const button = element('button', label);
      button.addEventListener('click', () => {
        this.#close(failed.taskId);
        run();
        (this.#section.querySelector('button') ?? document.getElementById('new-task')).focus();
      });
      buttons.append(button);
    }
    this.#section.append(card);
    this.#open.set(failed.taskId, {failed, card});
    this.#show();
    this.#point();
  }

  /** Where the list is long, the cards may be out of sight. */
  #point() {
    if (this.#section.getBoundingClientRect().top < 0) {
      this.#notice?.remove();
      this.#notice = notify(this.#title.textContent, 'Show', () => this.#section.querySelector('button')?.focus());
    } else {
      say(this.#title.textContent);
    }
  }

  #close(taskId) {
    this.#open.get(taskId)?.card.remove();
    this.#open.delete(taskId);
    this.#show();
  }

  #show() {
    const {size} = this.#open;
    this.#section.hidden = !size;
    this.#title.textContent = size === 1 ? 'One change needs you' : `${size} changes need you`;
  }
}

/** Somebody else was faster. */
const isOutdated = (error) => error instanceof Conflict || error instanceof NotFound;

const changed = (base, theirs) =>
  Object.fromEntries(Object.entries(theirs).filter(([name, value]) => value !== base[name]));

const describe = ({task, description, completed}) => [
  task,
  description === '' ? 'without a description' : description,
  completed === undefined ? completed : completed ? 'done' : 'open',
].filter((text) => text !== undefined).join('\n');

function reasonOf(error) {
  if (error instanceof Invalid) {
    return Object.values(error.errors).flat().join(' ');
  }
  if (error.code === 'limit_reached') {
    return `You have ${error.frame.limit?.toLocaleString()} tasks, as many as this server lets you have.`;
  }
  return error.message;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  if (name === 'dd') {
    made.dir = 'auto';
  }
  return made;
}
