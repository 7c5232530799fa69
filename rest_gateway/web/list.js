// The list: a row for each task that is shown, by uuid. A change moves one row; thousands are put in slice by slice, the
// first ones at once.

import {openEditor} from './editor.js';
import {fillRow, makeRow, setReachable} from './row.js';
import {makeView, placeOf} from './view.js';

const BLOCK = 100; // rows: a change makes the browser lay out one block; those out of sight it passes over
const SLICE = 10; // ms of work between two paints
const FRESH = 2000; // ms that a change from elsewhere is marked
const field = document.getElementById('new-task'); // has the focus where there is no row

export class TaskList {
  #list;
  #write;
  #tasks = new Map();
  #view = makeView({search: '', filter: 'all', order: 'newest'});
  #shown = []; // tasks as they are shown, in order
  #byUuid = new Map(); // the same
  #rows = new Map(); // of the first of them, up to #filled
  #filled = 0;
  #filling = null;
  #current = null; // the row that Tab comes to
  #editor = null;

  /** `write`: {create(fields), update(uuid, fields), remove(uuid), waits(uuid)}. */
  constructor(list, write) {
    this.#list = list;
    this.#write = write;
    list.addEventListener('change', ({target}) => target.parentElement.matches('li') && this.#complete(target));
    list.addEventListener('click', ({target}) => this.#onClick(target.closest('button')));
    list.addEventListener('keydown', (event) => this.#onKey(event));
    list.addEventListener('focusin', ({target}) => this.#setCurrent(target.closest('li')));
  }

  get size() {
    return this.#shown.length;
  }

  setView(words) {
    this.#view = makeView(words);
    this.#showAll();
  }

  /** These are all tasks, by uuid. The Map may change later; then `apply` is told. */
  show(tasks) {
    this.#tasks = tasks;
    const seen = (uuid) => tasks.has(uuid) && this.#view.matches(tasks.get(uuid)) ? tasks.get(uuid) : undefined;
    const uuids = new Set([...this.#byUuid.keys(), ...tasks.keys()]);
    const changed = [...uuids].filter((uuid) => !isSame(this.#byUuid.get(uuid), seen(uuid)));
    if (changed.length > BLOCK) {
      this.#showAll();
    } else { // where the focus is, and what is being edited, stays
      this.apply(changed, new Set());
    }
  }

  #showAll() {
    this.#editor?.close();
    this.#shown = [...this.#tasks.values()].filter(this.#view.matches).sort(this.#view.compare);
    this.#byUuid = new Map(this.#shown.map((task) => [task.uuid, task]));
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#filled = 0;
    this.#current = null;
    this.#fill(() => this.#filled < BLOCK);
    this.#setCurrent(this.#rowAt(0));
  }

  /** These tasks have changed; `fresh`: those that somebody else has changed, which is to be seen. */
  apply(uuids, fresh) {
    for (const uuid of uuids) {
      if (this.#editor?.uuid === uuid) {
        this.#editor.rebase(this.#tasks.get(uuid));
      } else {
        this.#applyOne(uuid, fresh.has(uuid));
      }
    }
  }

  focusFirst() {
    this.#rowAt(0).firstElementChild.focus();
  }

  #applyOne(uuid, fresh) {
    const before = this.#byUuid.get(uuid);
    const found = this.#tasks.get(uuid);
    const after = found && this.#view.matches(found) ? found : null;
    if (before && after && this.#view.compare(before, after) === 0) {
      this.#replace(before, after);
    } else {
      const focus = before && focusIn(this.#rows.get(uuid));
      const place = before && this.#remove(before);
      if (after) {
        this.#insert(after);
      }
      if (focus) { // the same control, of the same task, or of the one that has come in its place
        const row = this.#rows.get(uuid) ?? this.#rowAt(Math.min(place, this.size - 1));
        (row?.children[focus.column] ?? field).focus();
      }
    }
    const row = after && this.#rows.get(uuid);
    if (row && fresh) {
      row.classList.add('fresh');
      setTimeout(() => row.classList.remove('fresh'), FRESH);
    }
  }

  #replace(before, after) {
    this.#shown[placeOf(before, this.#shown, this.#view.compare)] = after;
    this.#byUuid.set(after.uuid, after);
    const row = this.#rows.get(after.uuid);
    if (row) {
      fillRow(row, after, this.#write.waits(after.uuid));
    }
  }

  #remove(task) {
    const place = placeOf(task, this.#shown, this.#view.compare);
    this.#shown.splice(place, 1);
    this.#byUuid.delete(task.uuid);
    const row = this.#rows.get(task.uuid);
    if (row) {
      const block = row.parentElement;
      row.remove();
      block.firstElementChild ?? block.remove();
      this.#rows.delete(task.uuid);
      this.#filled--;
      if (row === this.#current) {
        this.#setCurrent(this.#rowAt(Math.min(place, this.size - 1)));
      }
    }
    return place;
  }

  #insert(task) {
    const place = placeOf(task, this.#shown, this.#view.compare);
    const all = this.#filled === this.#shown.length;
    this.#shown.splice(place, 0, task);
    this.#byUuid.set(task.uuid, task);
    if (place < this.#filled || all) { // otherwise it comes with a later slice
      const next = this.#rows.get(this.#shown[place + 1]?.uuid);
      const block = next?.parentElement ?? this.#lastBlock();
      const row = this.#newRow(task);
      block.insertBefore(row, next ?? null);
      this.#filled++;
      this.#current ?? this.#setCurrent(row);
      if (block.childElementCount > 2 * BLOCK) {
        this.#split(block);
      }
    }
  }

  #split(block) {
    const focused = document.activeElement;
    const half = makeBlock();
    half.append(...[...block.children].slice(0, BLOCK));
    block.before(half);
    focused.focus();
  }

  /** The one that takes the next row at the end. */
  #lastBlock() {
    const last = this.#list.lastElementChild;
    return last?.childElementCount < BLOCK ? last : this.#list.appendChild(makeBlock());
  }

  #newRow(task) {
    const row = makeRow(task.uuid);
    fillRow(row, task, this.#write.waits(task.uuid));
    this.#rows.set(task.uuid, row);
    return row;
  }

  /** Put in rows while `goOn` says so, and the rest after the next paint. */
  #fill(goOn) {
    clearTimeout(this.#filling);
    while (this.#filled < this.#shown.length && goOn()) {
      this.#lastBlock().append(this.#newRow(this.#shown[this.#filled++]));
    }
    if (this.#filled < this.#shown.length) {
      this.#filling = setTimeout(() => {
        const end = performance.now() + SLICE;
        this.#fill(() => performance.now() < end);
      });
    }
  }

  // Keys and clicks

  #rowAt(place) {
    if (place >= this.#filled && place < this.size) {
      this.#fill(() => true);
    }
    return this.#rows.get(this.#shown[place]?.uuid);
  }

  #setCurrent(row) {
    if (row !== this.#current) {
      this.#current && !this.#current.querySelector('form') && setReachable(this.#current, false);
      row && !row.querySelector('form') && setReachable(row, true);
      this.#current = row;
    }
  }

  #complete(box) {
    this.#write.update(box.parentElement.dataset.uuid, {completed: box.checked});
  }

  #onClick(button) {
    const row = button?.closest('li');
    if (row && button.parentElement === row) {
      button.matches('.text') ? this.#edit(row) : this.#write.remove(row.dataset.uuid);
    }
  }

  #onKey(event) {
    const row = event.target.closest('li');
    if (!row || event.target.closest('form') || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const column = [...row.children].indexOf(event.target);
    const place = this.#shown.indexOf(this.#byUuid.get(row.dataset.uuid));
    const last = this.#shown.length - 1;
    const moves = {ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: last, PageDown: place + 10, PageUp: place - 10};
    if (event.key in moves) {
      this.#rowAt(Math.max(0, Math.min(last, moves[event.key])))?.children[column].focus();
    } else if (event.key === 'Delete') {
      this.#write.remove(row.dataset.uuid);
    } else if (event.key === 'F2' || (event.key === 'Enter' && column === 0)) {
      this.#edit(row);
    } else {
      return;
    }
    event.preventDefault();
  }

  #edit(row) {
    this.#editor?.close();
    const {uuid} = row.dataset;
    this.#editor = openEditor(row, this.#tasks.get(uuid), {
      save: (fields, all) => this.#tasks.has(uuid) ? this.#write.update(uuid, fields) : this.#write.create(all),
      closed: (hadFocus) => {
        this.#editor = null;
        setReachable(row, row === this.#current);
        this.#applyOne(uuid, false);
        if (hadFocus) {
          (this.#rows.get(uuid)?.children[1] ?? this.#current?.firstElementChild ?? field).focus();
        }
      },
    });
  }
}

const isSame = (one, other) => one === other || Boolean(one && other)
  && ['rev', 'time_modified', 'task', 'description', 'completed'].every((name) => one[name] === other[name]);

function makeBlock() {
  const block = document.createElement('ul');
  block.role = 'presentation';
  return block;
}

function focusIn(row) {
  const column = row ? [...row.children].indexOf(document.activeElement) : -1;
  return column < 0 ? null : {column};
}
