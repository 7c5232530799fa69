// The drawer that shows the WebSocket's traffic: each frame, and in a few words what it says.

const MOST = 200; // frames that are kept
const LONGEST = 4000; // characters of one that are shown
const find = (id) => document.getElementById(id);
const template = find('frame').content.firstElementChild;
const drawer = find('frames');
const list = find('frames-list');
const toggle = find('frames-toggle');
let kept = [];

/** A WebSocket whose frames are seen. */
export class WatchedSocket extends WebSocket {
  constructor(url) {
    super(url);
    this.addEventListener('open', () => keep('open', '', `connected to ${url}`));
    this.addEventListener('message', ({data}) => keep('received', data));
    this.addEventListener('close', ({code, reason}) => keep('closed', '', `${code} ${reason}`));
  }

  send(data) {
    keep('sent', data);
    super.send(data);
  }
}

function keep(way, data, note) {
  const frame = {way, data, note, time: new Date()};
  kept.push(frame);
  if (kept.length > MOST) {
    kept.shift();
  }
  if (!drawer.hidden) {
    show([frame]);
  }
}

function show(frames) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 48;
  list.append(...frames.map(makeItem));
  while (list.childElementCount > MOST) {
    list.firstElementChild.remove();
  }
  if (atEnd) {
    list.scrollTop = list.scrollHeight;
  }
}

function makeItem({way, data, note, time}) {
  const item = template.cloneNode(true);
  const details = item.firstElementChild;
  const [summary, body] = details.children;
  const [wayText, kind, noteText, timeText] = summary.children;
  const frame = parsed(data);
  item.className = way;
  wayText.textContent = way;
  kind.textContent = frame.mode ?? frame.type ?? '';
  noteText.textContent = note ?? (way === 'sent' ? saysClient(frame) : saysServer(frame));
  timeText.textContent = time.toLocaleTimeString();
  details.addEventListener('toggle', () => {
    const text = JSON.stringify(frame, hideToken, 2);
    body.textContent = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length.toLocaleString()} characters` : text;
  }, {once: true});
  return item;
}

function parsed(data) {
  try {
    return Object(JSON.parse(data || '{}'));
  } catch {
    return {data};
  }
}

const hideToken = (key, value) => key === 'token' ? `${String(value).slice(0, 8)}…` : value;

const saysClient = ({type, mode, offset, since, rev}) => type === 'auth' ? 'who I am' : {
  all: `the list, from task ${offset} on`,
  sync: `what came after change ${since}?`,
  create: 'make this task',
  update: `if it is still at revision ${rev}, change it`,
  delete: `if it is still at revision ${rev}, delete it`,
  ping: 'are you there?',
}[mode] ?? '';

function saysServer({type, mode, id, seq, task, count, changes, recovered, message, replayed}) {
  switch (type) {
    case 'auth': return `welcome; the newest change is ${seq}`;
    case 'auth.expiring': return 'your token ends soon';
    case 'sync': return recovered ? `${changes.length} changes, up to ${seq}` : 'too long ago, read the list';
    case 'pong': return `yes; the newest change is ${seq}`;
    case 'error': return message;
  }
  if (mode === 'all') {
    return `${task.length} of ${count} tasks, as they are at change ${seq}`;
  }
  return replayed ? 'was there already' : id === undefined ? `change ${seq}, from elsewhere` : `done; it is change ${seq}`;
}

function open(isOpen) {
  drawer.hidden = !isOpen;
  document.body.classList.toggle('with-frames', isOpen);
  toggle.setAttribute('aria-expanded', isOpen);
  list.replaceChildren();
  if (isOpen) {
    show(kept);
    list.scrollTop = list.scrollHeight;
  }
}

function close() {
  open(false);
  toggle.focus();
}

toggle.addEventListener('click', () => open(drawer.hidden));
find('frames-close').addEventListener('click', close);
find('frames-clear').addEventListener('click', () => {
  kept = [];
  list.replaceChildren();
});
drawer.addEventListener('keydown', ({key}) => key === 'Escape' && close());
