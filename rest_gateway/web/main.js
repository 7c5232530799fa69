// The page at /app/. It puts the parts together: who is logged in, the client, and what is seen of it.

import {IndexedDbStorage, LoggedOut, Session, TaskbeamClient, TaskbeamError, Unreachable} from './taskbeam.js';
import {ConnectionView} from './connection.js';
import {Entrance} from './entrance.js';
import {Failures} from './failures.js';
import {problemOf} from './fields.js';
import {WatchedSocket} from './frames.js';
import {TaskList} from './list.js';
import {clearNotices, notify, quoted, say} from './notices.js';

const find = (id) => document.getElementById(id);
const REST = new URL('..', location).href;
const NAME = 'taskbeam-name';
const UNDO = 50; // deletes that can be taken back

let client = null, session = null;
let kept = ''; // the name under which the client keeps what it has
let loggingOut = false;
let deleted = []; // the last ones

// Reading and writing tasks. The promises of writes are not waited for: what fails is told by `writefailed`.

function attempt(write) {
  try {
    write();
  } catch (error) {
    if (!(error instanceof TaskbeamError)) {
      throw error;
    }
    notify(`It was not done: ${error.message}`);
  }
}

const write = {
  create: (fields) => attempt(() => client.create(fields)),
  update: (uuid, fields) => attempt(() => client.update(uuid, fields)),
  current: (uuid) => client.preview.get(uuid),
  waits: (uuid) => client.preview.get(uuid) !== client.tasks.get(uuid),
  remove(uuid) {
    const task = client.preview.get(uuid);
    attempt(() => {
      client.delete(uuid);
      deleted = [...deleted, task].slice(-UNDO);
      notify(`Deleted ${quoted(task.task)}`, 'Undo', undo);
    });
  },
};

/** What was deleted is made again: the same texts, in a new task. */
function undo() {
  const last = deleted.pop();
  if (last) {
    const {task, description, completed} = last;
    clearNotices();
    write.create({task, description, completed});
    notify(`${quoted(task)} is back`);
  }
}

const list = new TaskList(find('list'), write);
const failures = new Failures(find('failures'), write);

function showNumbers() {
  const {preview, epoch} = client;
  const total = preview.size;
  let open = 0;
  preview.forEach(({completed}) => { open += !completed; });
  const words = `${total.toLocaleString()} ${total === 1 ? 'task' : 'tasks'}`;
  find('summary').textContent = !total ? ''
    : list.size < total ? `${list.size.toLocaleString()} of ${words}` : `${words}, ${open.toLocaleString()} open`;
  find('loading').hidden = epoch !== null;
  find('empty').hidden = epoch === null || list.size > 0;
  find('tools').hidden = !total;
  find('empty-title').textContent = total ? 'Nothing matches' : 'Nothing to do';
  find('empty-text').textContent = total ? 'Try other words, or show all.'
    : 'Add a task above. Open this page in a second window, and see it appear there.';
}

function onChange({taskIds, changes}) {
  if (taskIds === null) {
    list.show(client.preview);
  } else {
    list.apply(taskIds, new Set(changes.filter(({own}) => !own).map(({taskId}) => taskId)));
    failures.apply(taskIds);
  }
  showNumbers();
}

// Coming and going

/** Behind TLS there is a proxy, which has both servers on one origin. */
function socketUrl() {
  const {content} = document.querySelector('meta[name=websocket]');
  return location.protocol === 'https:' ? new URL('ws/tasks/', REST).href.replace('http', 'ws') : content;
}

function enter(newSession, name) {
  localStorage.setItem(NAME, name);
  session = newSession;
  kept = `${REST} ${name}`;
  client = new TaskbeamClient(socketUrl(), session, {WebSocket: WatchedSocket, name: kept});
  client.addEventListener('change', onChange);
  client.addEventListener('state', onState);
  client.addEventListener('writefailed', (event) => failures.add(event));
  new ConnectionView(client);
  list.show(client.preview);
  showNumbers();
  find('who').textContent = name;
  showEntered(true);
  if (!matchMedia('(pointer: coarse)').matches) { // there a keyboard would cover the list
    find('new-task').focus();
  }
}

function showEntered(isIn) {
  for (const id of ['tasks-view', 'who', 'log-out', 'frames-toggle', 'connection']) {
    find(id).hidden = !isIn;
  }
}

function onState() {
  if (client.state === 'live') { // the server may have been away for an upgrade
    navigator.serviceWorker?.ready.then((registration) => registration.update()).catch(() => {});
  }
  if (client.state === 'ended' && client.reason instanceof LoggedOut && !loggingOut) {
    leave(true);
  }
}

/** `ended`: by the server, and what is kept here waits for the next log-in. */
async function leave(ended) {
  showEntered(false);
  clearNotices();
  failures.clear();
  deleted = [];
  entrance.show(localStorage.getItem(NAME) ?? '', ended);
  const name = kept;
  await client.close();
  if (!ended && globalThis.indexedDB) {
    await IndexedDbStorage.erase(name);
  }
}

async function logOut() {
  const {waiting} = client;
  if (waiting && !confirm(`${waiting} of your changes are not sent yet, and will be lost. Log out?`)) {
    return;
  }
  loggingOut = true; // the server ends the connection with the session
  const error = await session.logout().catch((reason) => reason);
  if (error instanceof Unreachable) {
    notify('The server cannot be reached now, so you are still logged in.');
  } else { // done, or done before in another tab
    await leave(false);
  }
  loggingOut = false;
}

// What a person does

find('add').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = find('new-task');
  const task = field.value.trim();
  const problem = problemOf({task});
  find('add-problem').textContent = problem;
  field.setAttribute('aria-invalid', Boolean(problem));
  field.focus();
  if (!problem) {
    write.create({task});
    field.value = '';
  }
});

let telling;
find('tools').addEventListener('input', () => {
  list.setView({search: find('search').value, filter: find('filter').value, order: find('order').value});
  showNumbers();
  clearTimeout(telling);
  telling = setTimeout(() => say(find('summary').textContent), 500);
});

find('tasks-view').addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' && event.target.matches('#new-task, #search') && list.size) {
    event.preventDefault();
    list.focusFirst();
  }
});

document.addEventListener('keydown', (event) => {
  const isTyping = event.target.matches('input:not([type=checkbox]), textarea') && event.target.value;
  if (event.key === 'z' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !isTyping && deleted.length) {
    event.preventDefault();
    undo();
  }
});

find('log-out').addEventListener('click', logOut);

const entrance = new Entrance(REST, enter);
const resumed = Session.resume(REST, localStorage);
if (resumed) {
  enter(resumed, localStorage.getItem(NAME) ?? '');
} else {
  entrance.show(localStorage.getItem(NAME) ?? '');
}

// Another version of the page is kept as soon as there is one; this one goes on until it is loaded again.
navigator.serviceWorker?.register('worker.js', {updateViaCache: 'none'});
navigator.serviceWorker?.addEventListener('controllerchange', () => find('update').append(find('version').content));
