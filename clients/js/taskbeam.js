// Taskbeam's client for browsers and Node: a copy of a user's tasks that always equals the server's, and a queue of writes
// that are sent once, whatever the network does in between.
//
//   1 Errors        what an application may have to catch
//   2 Core          protocol and state; pure: frames go in, frames come out. No socket, no timer, no clock
//   3 Network       one WebSocket, one POST, a session's tokens
//   4 Storage       what outlasts a page, in IndexedDB
//   5 Client        what an application sees: it runs the core on the network, once for all tabs of a browser
//
// Times are milliseconds of `performance.now()`; the server's own are seconds. `taskbeam.d.ts` says what each public name means.

// ---------------------------------------------------------------- 1 Errors

export class TaskbeamError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class LoggedOut extends TaskbeamError {}

export class ClientDefect extends TaskbeamError {
  constructor(message, {closeCode = null, ...options} = {}) {
    super(message, options);
    this.closeCode = closeCode;
  }
}

export class Unreachable extends TaskbeamError {
  constructor(message, {perhapsDone = false, closeCode = null, ...options} = {}) {
    super(message, options);
    this.perhapsDone = perhapsDone;
    this.closeCode = closeCode;
  }
}

export class RateLimited extends Unreachable {
  constructor(message, retryAfter) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

export class ClientClosed extends TaskbeamError {}
export class QueueFull extends TaskbeamError {}
export class StorageFailed extends TaskbeamError {}
export class WriteFailed extends TaskbeamError {}

export class Conflict extends WriteFailed {
  constructor(task) {
    super('The task has moved on.');
    this.task = task;
  }
}

export class NotFound extends WriteFailed {
  constructor(taskId) {
    super(`There is no task ${taskId}.`);
    this.taskId = taskId;
  }
}

export class Invalid extends WriteFailed {
  constructor(errors) {
    super(Object.entries(errors).map(([field, texts]) => `${field}: ${[texts].flat().join(' ')}`).join('; '));
    this.errors = errors;
  }
}

export class Refused extends WriteFailed {
  constructor(frame) {
    super(`${frame.code}: ${frame.message}`);
    this.code = frame.code;
    this.frame = frame;
  }
}

export class EarlierWriteFailed extends WriteFailed {}
export class AccountChanged extends WriteFailed {}

/** An error frame, the server's or one of `WriteQueue`, as an error. */
function failure(frame) {
  switch (frame.code) {
    case 'conflict': return new Conflict(frame.task ?? null);
    case 'not_found': return new NotFound(frame.task_id);
    case 'validation': return new Invalid(frame.errors);
    case 'earlier_write_failed': return frame.cause.code === 'withdrawn'
      ? new EarlierWriteFailed('The create of its task was withdrawn.')
      : new EarlierWriteFailed('A write before it, to the same task, failed.', {cause: failure(frame.cause)});
    case 'account_changed': return new AccountChanged('Another user is logged in now.');
    default: return new Refused(frame);
  }
}

// ---------------------------------------------------------------- 2 Core

const CHANGES = new Set(['create', 'update', 'delete']);
const NOT_DONE_YET = new Set(['rate_limited', 'unavailable', 'internal']);
const RETRY_AFTER_MOST = 60_000;
const QUIET = 20_000; // until a ping is sent
const REMEMBERED = 1000; // writes that were settled, if they are told of once more

/** Close codes that ask for more than a new connection. */
const CLOSED = {NOT_AUTHENTICATED: 4001, TOKEN_EXPIRED: 4401, TOKEN_REVOKED: 4403};
const MEND_CLIENT = new Set([1003, 1007, 1009, 4003, 4029]);

const sameHistory = (one, other) => one.epoch === other.epoch && one.userId === other.userId;
const seconds = (value, otherwise) => Number.isFinite(value) ? Math.max(0, value) * 1000 : otherwise;

function toTask(json) {
  const {uuid, user_id, time_created, time_modified, task, description, completed, rev} = json;
  const texts = [uuid, time_created, time_modified, task, description];
  if (texts.some((text) => typeof text !== 'string') || typeof completed !== 'boolean'
    || !Number.isInteger(user_id) || !Number.isInteger(rev)) {
    throw new TypeError('it is no task');
  }
  return Object.freeze({...json});
}

/** A task frame, or an entry of `sync`: they differ in what a delete has for a task. */
function toChange({seq, mode, task_id, task, id}) {
  if (!Number.isInteger(seq) || !CHANGES.has(mode)) throw new TypeError('it is no change');
  return {seq, mode, taskId: task_id, task: mode === 'delete' ? null : toTask(task), own: id !== undefined};
}

function checkRefusal({code, errors, task}) {
  if (typeof code !== 'string' || (code === 'validation' && (!errors || typeof errors !== 'object'))) {
    throw new TypeError('it is no error');
  }
  if (code === 'conflict') toTask(task);
}

/** The local copy: equal to the server's state at `seq`, always. `tasks` by uuid, in order of creation. */
class Replica {
  epoch = null; // no copy yet
  userId = null;
  seq = 0;
  tasks = new Map();
  #newest = ''; // the highest time_created that was ever here

  load({epoch, userId, seq, tasks}) {
    Object.assign(this, {epoch, userId, seq});
    this.#newest = '';
    this.tasks.clear();
    for (const task of tasks) {
      this.tasks.set(task.uuid, task);
      if (task.time_created > this.#newest) this.#newest = task.time_created;
    }
  }

  /** Take the change after `seq`. Returns the task before it, and whether the order of others has changed. */
  apply({seq, taskId, task}) {
    const before = this.tasks.get(taskId);
    this.seq = seq;
    if (!task) {
      this.tasks.delete(taskId);
      return {before, reordered: false};
    }
    this.tasks.set(taskId, task);
    const reordered = !before && task.time_created < this.#newest;
    if (reordered) { // two writers may commit in another order than they looked at their clocks
      const tasks = inOrder(this.tasks.values());
      this.tasks.clear();
      tasks.forEach((each) => this.tasks.set(each.uuid, each));
    } else if (!before) {
      this.#newest = task.time_created;
    }
    return {before, reordered};
  }
}

const inOrder = (tasks) => [...tasks].sort((one, other) =>
  one.time_created < other.time_created ? -1 : Number(one.time_created > other.time_created));

/**
 * The list of all tasks, got in pages, while others go on writing. `tasks` is always the beginning of the list, without a
 * hole, as it is at `seq`. A change moves it on; a page that begins within it, or right after it, makes it longer; one that
 * begins beyond it (tasks before it were deleted meanwhile) is dropped, and the next one begins earlier. So a lost
 * connection costs one page: `sync` from `seq` brings the changes, and the next page follows.
 */
class Listing {
  seq = null; // before the first page
  missing = false; // changes after `seq` were missed, and only `sync` will bring them
  tasks = [];
  #page = 100;
  #overlap = 4; // tasks that may be deleted while a page is on its way
  #offset = 0;

  constructor({epoch, userId}) {
    Object.assign(this, {epoch, userId});
  }

  request() {
    this.#offset = Math.max(0, this.tasks.length - this.#overlap);
    return {mode: 'all', limit: Math.max(this.#page, 2 * this.#overlap), offset: this.#offset};
  }

  /** How long the last page has taken. One that is lost is lost whole, so a slow network gets small ones. */
  adaptPage(time) {
    if (time < 1000) {
      this.#page = Math.min(1000, 2 * this.#page);
    } else if (time > 5000) {
      this.#page = Math.max(10, this.#page >> 1);
    }
  }

  /** Take the page that was asked for. Returns whether the list is whole. */
  add(page, seq, count) {
    if (this.seq !== null && this.seq !== seq) {
      this.missing = true;
      return false;
    }
    if (this.#offset > this.tasks.length) {
      this.#overlap = Math.min(500, 2 * Math.max(this.#overlap, this.#offset - this.tasks.length));
      return false;
    }
    if (!Number.isInteger(seq) || !Number.isInteger(count) || (!page.length && count > this.#offset)) {
      throw new TypeError('it is no page of the list');
    }
    this.tasks = [...this.tasks.slice(0, this.#offset), ...page];
    this.seq = seq;
    return this.tasks.length >= count;
  }

  apply({seq, mode, taskId, task}) {
    this.seq = seq;
    const place = this.tasks.findIndex(({uuid}) => uuid === taskId);
    if (mode === 'create') {
      this.#insert(task);
    } else if (place >= 0) {
      this.tasks.splice(place, 1, ...(task ? [task] : []));
    }
  }

  /** A new task stands in a later page, unless clocks disagree. Of several at one time only the server knows the order:
   * those that are here are left to that page too. */
  #insert(task) {
    const newest = this.tasks.at(-1)?.time_created;
    if (task.time_created === newest) {
      this.tasks = this.tasks.filter(({time_created}) => time_created < newest);
    } else if (task.time_created < newest) {
      this.tasks = inOrder([...this.tasks, task]);
    }
  }
}

// Writes. A write is {id, mode, taskId, base} and what its mode needs: an update has `fields`, an update and a delete have
// `rev`, the revision that they are made on. `base` is the task as it is before it; of a create, the new task.
//
// One write is on its way at a time. So order is kept, and when the connection is lost the outcome of at most one is unknown.
// The changes that the client then catches up with tell: a create is known by its uuid; an update or delete by its revision,
// since one change alone can follow on a revision. If none of them is it, it is sent again: a create is idempotent by uuid,
// and of two that name the same revision only one succeeds.

const content = (task) => task ? JSON.stringify([task.task, task.description, task.completed]) : null;
const plain = ({id, mode, taskId, rev, fields, base, named}) => ({id, mode, taskId, rev, fields, base, named});

/** What the task will be, when the write is done to it; `undefined` where there will be none. */
function foresee({mode, base, fields}, task) {
  if (mode === 'create') return task ?? base;
  return mode === 'update' && task ? Object.freeze({...task, ...fields, rev: task.rev + 1}) : undefined;
}

function toRequest({mode, taskId, rev, fields, base}) {
  if (mode === 'create') {
    const {uuid, task, description, completed} = base;
    return {mode, data: {uuid, task, description, completed}};
  }
  return {mode, task_id: taskId, rev, ...(mode === 'update' && {data: fields})};
}

/** What a change says about a write to the same task: `{task}` if it has done it, `{error}` if it made it impossible. */
function judgeChange(write, change, before) {
  if (write.mode === 'create') return change.mode === 'create' ? {task: change.task} : null;
  if (before?.rev !== write.rev) return null;
  return content(foresee(write, before)) === content(change.task) ? {task: change.task} : blocked(write, change.task);
}

/** The same from the state alone, where changes were missed for good. */
function judgeState(write, task) {
  if (write.mode === 'create') return task ? {task} : null;
  if (!task) return write.mode === 'delete' ? {task: null} : blocked(write, null);
  if (task.rev <= write.rev) return null;
  const wanted = foresee(write, write.base);
  return wanted?.rev === task.rev && content(wanted) === content(task) ? {task} : blocked(write, task);
}

const blocked = ({taskId}, task) => ({error: task ? {code: 'conflict', task} : {code: 'not_found', task_id: taskId}});

/** The writes that wait for their outcome, in order. The first one is the one on its way. */
class WriteQueue {
  #writes = new Map(); // by id
  #ofTask = new Map();

  get size() {
    return this.#writes.size;
  }

  get all() {
    return [...this.#writes.values()];
  }

  get taskIds() {
    return this.#ofTask.keys();
  }

  get first() {
    return this.#writes.values().next().value;
  }

  get(id) {
    return this.#writes.get(id);
  }

  add(write) {
    this.#writes.set(write.id, write);
    this.#ofTask.set(write.taskId, [...this.#ofTask.get(write.taskId) ?? [], write]);
  }

  remove(write) {
    this.#writes.delete(write.id);
    const rest = this.ofTask(write.taskId).filter((each) => each !== write);
    if (rest.length) {
      this.#ofTask.set(write.taskId, rest);
    } else {
      this.#ofTask.delete(write.taskId);
    }
  }

  clear() {
    this.#writes.clear();
    this.#ofTask.clear();
  }

  ofTask(taskId) {
    return this.#ofTask.get(taskId) ?? [];
  }

  /** What a task will be, when all that waits is done. */
  foresee(taskId, task) {
    return this.ofTask(taskId).reduce((seen, write) => write.evidence ? seen : foresee(write, seen), task);
  }
}

/** How fast to send, once the server has said that it was too fast. For one connection. */
class RateLimiter {
  #interval = 0; // as fast as can be
  #turn = 0;

  delay(now) {
    return this.#interval ? Math.max(0, this.#turn - now) : 0;
  }

  /** A turn is taken. A timer that was late may let go four at once. */
  sent(now) {
    this.#turn = Math.max(this.#turn, now - 4 * this.#interval) + this.#interval;
  }

  /** 195 a second at most: a server's default is 200, and what is left over makes up for jitter. */
  slowDown(now, retryAfter) {
    this.#interval = Math.min(Math.max(1000 / 195, retryAfter, 1.5 * this.#interval), 60_000);
    this.#turn = now + retryAfter + 50;
  }
}

/**
 * What the client knows, and what it says next. For each connection: `begin`; then `poll` and `receive` in turn until the
 * connection is lost; then `lose`. `take` tells what has happened meanwhile.
 */
export class Core {
  replica = new Replica();
  queue = new WriteQueue();
  preview = new Map(); // the tasks as they will be, when all writes that wait are done
  live = false; // connected, and the copy was caught up
  expiring = null; // the token ends in so many ms
  statistics = {connections: 0, syncs: 0, snapshots: 0, gaps: 0, duplicates: 0};
  #timeout;
  #random;
  #history = null; // {epoch, userId}: the server's, of the connection that there is
  #writer = null; // the user whose writes wait
  #listing = null; // a list that is being got; the changes that come meanwhile are its
  #behind = true; // the copy is not up to date
  #token = null; // is to be sent
  #asked = null; // the request that is not answered yet: {id, at, frame, answered}
  #ids = 0;
  #heard = 0; // when a frame last came
  #notBefore = 0; // the server has asked to wait
  #limiter = new RateLimiter();
  #verdict = null; // {write, outcome}: what becomes of the first write, once the copy is up to date
  #happened = [];
  #settledIds = new Set(); // the last ones
  #touched = new Set(); // tasks whose preview has changed
  #touchedAll = false;
  #mixed = false; // the preview's order may be another than the list's: of drafts, and of deletes that were taken back

  constructor({timeout = 30_000, random = Math.random} = {}) {
    this.#timeout = timeout;
    this.#random = random;
  }

  // One connection

  begin(token, now) {
    Object.assign(this, {live: false, expiring: null});
    this.#limiter = new RateLimiter();
    this.#notBefore = 0;
    this.#heard = now;
    this.#token = token;
  }

  /** A new token, for the connection that there is. */
  renew(token) {
    this.#token = token;
  }

  lose(now) {
    if (this.#asked?.frame.mode === 'all') this.#listing?.adaptPage(now - this.#asked.at);
    this.live = false;
    this.#asked = this.#verdict = null;
    if (this.queue.first?.sent) this.queue.first.uncertain = true;
    this.#finishKnown();
  }

  /** `{send: frame}`; or `{wait: ms}`, if nothing else happens until then. Throws what ends the connection. */
  poll(now) {
    if (this.#asked) {
      const left = Math.max(this.#asked.at, this.#heard) + this.#timeout - now;
      if (left <= 0) throw new Unreachable('no answer in time');
      return {wait: left};
    }
    const wait = Math.max(this.#notBefore - now, this.#limiter.delay(now));
    if (wait > 0) return {wait};
    if (this.#token !== null) return this.#ask(now, {type: 'auth', token: this.#token}, this.#onAuthAnswer);
    if (this.#behind) return this.#ask(now, this.#missingRequest(), this.#onCatchUpAnswer);
    if (!this.live) {
      this.live = true;
      this.statistics.connections++;
    }
    this.#finishDecided();
    const write = this.queue.first;
    if (write?.stored) {
      const wasSent = write.sent;
      write.sent = true;
      return this.#ask(now, toRequest(write), (answer) => this.#onWriteAnswer(write, wasSent, answer, now));
    }
    const quiet = this.#heard + QUIET - now;
    return quiet > 0 ? {wait: quiet} : this.#ask(now, {mode: 'ping'}, () => {});
  }

  #ask(now, frame, answered) {
    this.#limiter.sent(now);
    this.#asked = {id: ++this.#ids, at: now, frame, answered};
    return {send: {...frame, id: this.#ids}};
  }

  /** A frame has come. Throws what ends the connection. */
  receive(frame, now) {
    this.#heard = now;
    try {
      this.#onFrame(frame);
      if (this.#asked && frame.id === this.#asked.id) {
        const {answered, at} = this.#asked;
        this.#asked = null;
        answered.call(this, frame, now, at);
      }
    } catch (error) {
      if (error instanceof TaskbeamError) throw error;
      const text = String(JSON.stringify(frame)).slice(0, 200);
      throw new ClientDefect(`a frame is not understood (${error.message}): ${text}`, {cause: error});
    }
  }

  // What each frame makes of the state

  #onFrame(frame) {
    const {type, mode, seq} = frame;
    if (type === 'task.update' && CHANGES.has(mode) && seq !== undefined) {
      this.#onChange(toChange(frame));
    } else if (type === 'task.update' && mode === 'all') {
      this.#onPage(frame);
    } else if (type === 'sync') {
      this.#onSync(frame);
    } else if (type === 'auth') {
      this.#onAuth({epoch: frame.epoch, userId: frame.user_id}, seq);
    } else if (type === 'auth.expiring') {
      this.expiring = seconds(frame.in, 0);
    }
  }

  #onAuth(history, seq) {
    if (typeof history.epoch !== 'string' || !Number.isInteger(history.userId) || !Number.isInteger(seq)) {
      throw new TypeError('it is no answer to auth');
    }
    this.#history = history;
    this.#writer ??= history.userId;
    if (this.#listing && !sameHistory(this.#listing, history)) this.#listing = null;
    if (this.#listing) {
      this.#listing.missing = this.#listing.seq !== null && this.#listing.seq !== seq;
    } else if (sameHistory(this.replica, history)) {
      this.#behind = this.replica.seq !== seq;
    } else {
      this.#startListing();
    }
  }

  #startListing() {
    this.#listing = new Listing(this.#history);
    this.#behind = true;
  }

  /** Asks for the next part of what the copy lacks. */
  #missingRequest() {
    const listing = this.#listing;
    if (listing && !(listing.missing && listing.seq !== null)) return listing.request();
    this.statistics.syncs++;
    return {mode: 'sync', epoch: this.#history.epoch, since: (listing ?? this.replica).seq};
  }

  #onChange(change) {
    const listing = this.#listing;
    const copy = listing ?? this.replica;
    const fetching = listing ? listing.seq === null || listing.missing : this.#behind; // it will bring the change
    if (!listing && change.seq === copy.seq + 1) {
      this.#apply(change);
    } else if (listing && !fetching && change.seq === copy.seq + 1) {
      listing.apply(change);
    } else if (!(listing && fetching) && change.seq <= copy.seq) {
      this.statistics.duplicates++;
    } else if (!fetching) {
      this.statistics.gaps++;
      this.#behind = true;
      if (listing) listing.missing = true;
    }
  }

  #onSync(frame) {
    if (typeof frame.recovered !== 'boolean') throw new TypeError('it is no answer to sync');
    if (!frame.recovered) {
      this.#history = {...this.#history, epoch: frame.epoch};
      this.#startListing();
      return;
    }
    const listing = this.#listing;
    for (const change of frame.changes.map(toChange)) {
      if (!listing && change.seq === this.replica.seq + 1) {
        this.#apply(change);
      } else if (listing && listing.seq !== null && change.seq === listing.seq + 1) {
        listing.apply(change);
      }
    }
    if (listing) {
      listing.missing = frame.more;
    } else {
      this.#behind = frame.more;
    }
  }

  #apply(change) {
    const {before, reordered} = this.replica.apply(change);
    for (const write of this.queue.ofTask(change.taskId).filter(({sent, evidence}) => sent && !evidence)) {
      write.evidence = judgeChange(write, change, before);
      if (write.uncertain && write.evidence && !write.evidence.error) change = {...change, own: true};
    }
    this.#happened.push({change, reordered});
    this.#touch(change.taskId, reordered);
    this.#finishKnown(change.taskId);
  }

  #onPage(frame) {
    const listing = this.#listing;
    if (listing?.add(frame.task.map(toTask), frame.seq, frame.count)) {
      this.#listing = null;
      this.#onSnapshot({epoch: listing.epoch, userId: listing.userId, seq: frame.seq, tasks: listing.tasks});
    }
  }

  #onSnapshot(snapshot) {
    const before = this.replica.epoch;
    const {tasks} = this.replica;
    this.replica.load(snapshot);
    if (this.#writer !== snapshot.userId) {
      this.#writer = snapshot.userId;
      this.queue.all.forEach((write) => this.#settle(write, {error: {code: 'account_changed'}}));
    } else if (before !== null && before !== snapshot.epoch) {
      // Restored from a backup: revisions mean nothing any more, uuids still do.
      for (const write of this.queue.all) {
        if (write.mode === 'create') {
          write.evidence = write.sent ? judgeState(write, tasks.get(write.taskId)) : null;
        } else {
          this.#settle(write, {error: {code: 'conflict', task: tasks.get(write.taskId) ?? null}});
        }
      }
    } else {
      this.#judgeFirst();
    }
    this.#behind = false;
    this.statistics.snapshots++;
    this.#happened.push({copy: snapshot});
    this.#touch(null, true);
  }

  /** What the state says of the write that was on its way. */
  #judgeFirst() {
    const write = this.queue.first;
    if (write?.sent) write.evidence ??= judgeState(write, this.replica.tasks.get(write.taskId));
    this.#finishKnown();
  }

  /** A write whose answer was lost is done with, as soon as it is known what became of it: the evidence passes. */
  #finishKnown(taskId = this.queue.first?.taskId) {
    for (const write of this.queue.ofTask(taskId)) {
      if (write.uncertain && write.evidence && this.queue.get(write.id)) this.#finish(write, write.evidence);
    }
  }

  // Answers to requests

  #onAuthAnswer(answer, now) {
    if (answer.type === 'auth') {
      this.#token = null;
    } else if (answer.code === 'rate_limited') {
      this.#wait(answer, now);
    } else if (answer.code === 'token_not_valid') { // the close frame is on its way, and says the same
      throw new Unreachable('the token was refused', {closeCode: CLOSED.NOT_AUTHENTICATED});
    } else if (answer.code === 'user_mismatch' || NOT_DONE_YET.has(answer.code)) {
      throw new Unreachable(`no authentication now: ${answer.code}`);
    } else {
      throw new ClientDefect(`authentication was refused: ${answer.code}`);
    }
  }

  #onCatchUpAnswer(answer, now, at) {
    if (answer.type === 'error') {
      if (!NOT_DONE_YET.has(answer.code)) {
        throw new ClientDefect(`the server refuses to send the tasks: ${answer.code}`);
      }
      this.#wait(answer, now);
    } else if (answer.type !== 'sync' && answer.mode !== 'all') {
      throw new TypeError('it answers a request for the tasks');
    } else if (answer.mode === 'all') {
      this.#listing?.adaptPage(now - at);
    }
  }

  #onWriteAnswer(write, wasSent, answer, now) {
    const {type, code} = answer;
    if (type === 'error') checkRefusal(answer);
    if (code === 'rate_limited' && !wasSent) Object.assign(write, {sent: false, evidence: null}); // as if it had not been sent
    if (NOT_DONE_YET.has(code)) this.#wait(answer, now);
    if (code === 'rate_limited' || this.queue.first !== write) return;
    const error = {...answer, task_id: write.taskId};
    if (type !== 'error') {
      this.#decide(write, {task: write.mode === 'delete' ? null : toTask(answer.task)}, answer.replayed);
    } else if (NOT_DONE_YET.has(code)) { // or perhaps it is done: the log knows
      write.uncertain = true;
      this.#finishKnown();
      this.#decide(write, code === 'internal' ? {error} : null, true);
    } else { // see first what the answer was based on
      this.#decide(write, {error}, code === 'conflict' || code === 'not_found');
    }
  }

  /** What becomes of the write; `null`: it is to be sent again. If the copy has to be caught up first, that may know better. */
  #decide(write, outcome, catchUpFirst) {
    this.#behind ||= Boolean(catchUpFirst);
    this.#verdict = {write, outcome};
    if (!this.#behind) this.#finishDecided();
  }

  #finishDecided() {
    const {write, outcome} = this.#verdict ?? {};
    this.#verdict = null;
    if (outcome && this.queue.first === write) this.#finish(write, outcome);
  }

  /** A write that failed takes along those that were made on top of it. */
  #finish(write, outcome) {
    this.#settle(write, outcome);
    if (outcome.error) {
      const error = {code: 'earlier_write_failed', cause: outcome.error};
      for (const later of this.queue.ofTask(write.taskId)) {
        if (later.rev <= write.rev && !write.named) return; // it was made after the failure
        if (!later.evidence) this.#settle(later, {error});
      }
    }
  }

  #settle(write, outcome) {
    this.queue.remove(write);
    this.#settledIds.add(write.id);
    if (this.#settledIds.size > REMEMBERED) this.#settledIds.delete(this.#settledIds.values().next().value);
    this.#happened.push({settled: {...plain(write), ...outcome}});
    this.#touch(write.taskId, this.#mixed && this.queue.size === 0);
  }

  #wait({code, retry_after}, now) {
    const wait = Math.min(seconds(retry_after, 1000), RETRY_AFTER_MOST);
    if (code === 'rate_limited') {
      this.#limiter.slowDown(now, wait);
    } else {
      this.#notBefore = now + wait * (1 + this.#random() / 2);
    }
  }

  // Writing

  /** Queue a write; `stored` says that it may be sent. */
  add(write, stored) {
    if (!this.queue.get(write.id) && !this.#settledIds.has(write.id)) {
      this.queue.add({...write, stored, sent: false, uncertain: false, evidence: null});
      this.#mixed ||= write.mode !== 'update';
      this.#touch(write.taskId);
    }
  }

  mayBeSent(id) {
    const write = this.queue.get(id);
    if (write) write.stored = true;
  }

  /** Take back a write: what was made on top of it is done without it, where that can be. `stored`: as of `add`, for those.
   * Returns false where it is too late, since it may have been sent. */
  withdraw(id, stored) {
    const write = this.queue.get(id);
    if (!write || write.sent) return false;
    const ofTask = this.queue.ofTask(write.taskId);
    const later = ofTask.slice(ofTask.indexOf(write) + 1);
    const error = {code: 'withdrawn'};
    this.#settle(write, {error});
    if (write.mode === 'create') {
      later.forEach((each) => this.#settle(each, {error: {code: 'earlier_write_failed', cause: error}}));
    } else if (write.mode === 'update') {
      this.#rebase(later, write.base, stored);
    }
    return true;
  }

  /** An update before these was withdrawn, so their task will be at one revision less. A revision that was `named` stays. */
  #rebase(writes, task, stored) {
    for (const write of writes) {
      if (!task || write.mode === 'create') return;
      if (!write.named) {
        const rev = write.rev - 1;
        Object.assign(write, {rev, stored, base: task.rev === rev ? task : Object.freeze({...write.base, rev})});
        this.#happened.push({rebased: plain(write)});
      }
      task = foresee(write, task);
    }
  }

  /** The preview of a task has changed; with `all`, the order, or everything. */
  #touch(taskId, all = false) {
    if (all) {
      this.#mixed = this.queue.size > 0;
      this.preview.clear();
      this.replica.tasks.forEach((task, uuid) => this.preview.set(uuid, task));
    }
    for (const uuid of all ? this.queue.taskIds : [taskId]) {
      const task = this.queue.foresee(uuid, this.replica.tasks.get(uuid));
      if (task) {
        this.preview.set(uuid, task);
      } else {
        this.preview.delete(uuid);
      }
    }
    this.#touched.add(taskId);
    this.#touchedAll ||= taskId === null;
  }

  // What there is, as plain values

  /** `{epoch, userId, seq, tasks, writes}`. */
  get copy() {
    const {epoch, userId, seq, tasks} = this.replica;
    return {epoch, userId, seq, tasks: [...tasks.values()], writes: this.queue.all.map(plain)};
  }

  /** Begin with what was kept, or with what another tab has. Who keeps it `mayHaveSent` any of its writes, and not have kept what
   * became of them. Within one history it never goes back; returns false where what is here already is newer. */
  load({writes, ...copy}, mayHaveSent) {
    const isNews = !(sameHistory(copy, this.replica) && copy.seq < this.replica.seq);
    if (isNews) this.replica.load({...copy, tasks: copy.tasks.map(toTask)});
    this.#writer = this.replica.userId;
    this.queue.clear();
    for (const write of writes.filter(({id}) => !this.#settledIds.has(id))) {
      this.queue.add({...write, stored: true, sent: mayHaveSent, uncertain: mayHaveSent, evidence: null});
    }
    this.#judgeFirst();
    this.#touch(null, true);
    return isNews;
  }

  /** Take what has `happened` in the tab that is connected. Returns false where something before it is missing. */
  follow(happened) {
    let isWhole = true;
    for (const {change, settled, rebased} of happened) {
      if (change?.seq === this.replica.seq + 1) {
        const {reordered} = this.replica.apply(change);
        this.#happened.push({change, reordered});
        this.#touch(change.taskId, reordered);
      } else if (change?.seq > this.replica.seq) {
        isWhole = false;
      } else if (settled) {
        const {task, error} = settled;
        this.#settle(this.queue.get(settled.id) ?? settled, {task, error});
      } else if (rebased && this.queue.get(rebased.id)) {
        Object.assign(this.queue.get(rebased.id), rebased);
        this.#touch(rebased.taskId);
      }
    }
    return isWhole;
  }

  /**
   * What has happened since the last time, and to which tasks; `taskIds` is `null` where it may be all. Each is a whole
   * `copy` that came, a `change` of it, a write that was `settled`, with its `task` or `error`, or one that is `rebased`.
   */
  take() {
    const taken = {happened: this.#happened, taskIds: this.#touchedAll ? null : [...this.#touched]};
    this.#happened = [];
    this.#touched.clear();
    this.#touchedAll = false;
    return taken;
  }
}

// ---------------------------------------------------------------- 3 Network

const between = (least, most) => least + Math.random() * (most - least);
const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

/** A POST of JSON: `{status, body}`; `body` is `null` where it is no JSON. Throws Unreachable. */
async function post(url, body, timeout) {
  let response, text = '';
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {'Content-Type': 'application/json', Accept: 'application/json'},
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
    });
    const decoder = new TextDecoder();
    const reader = response.body?.getReader();
    for (let part; reader && !(part = await reader.read()).done;) {
      text += decoder.decode(part.value, {stream: true});
      if (text.length > 2 ** 16) {
        await reader.cancel();
        break;
      }
    }
  } catch (error) {
    throw new Unreachable(`${url}: ${error.cause?.message ?? error.message}`, {perhapsDone: true, cause: error});
  }
  try {
    return {response, body: JSON.parse(text)};
  } catch {
    return {response, body: null};
  }
}

const isText = (value) => typeof value === 'string' && value !== '';

/** The body of a success, which has texts at these keys. Only what a gateway of Taskbeam's says is final: a captive portal, or
 * a proxy whose gateway is being deployed, says nothing about the session. */
async function postForTokens(url, request, timeout, ...keys) {
  const {response: {status, headers}, body} = await post(url, request, timeout);
  const isObject = body !== null && typeof body === 'object';
  if (status === 200 && isObject && keys.every((key) => isText(body[key]))) return body;
  if (status === 401 && isText(body?.detail)) throw new LoggedOut(body.detail);
  if (status === 400 && ['username', 'password', 'refresh', 'non_field_errors'].some((key) => isObject && key in body)) {
    throw new Invalid(body);
  }
  const text = `${url} answered ${status || 'with a redirect'}${isText(body?.detail) ? `: ${body.detail}` : ''}`;
  if (status === 429) throw new RateLimited(text, Number(headers.get('Retry-After')) || 1);
  throw new Unreachable(text, {perhapsDone: status === 200 || status >= 500});
}

const baseUrl = (url) => new URL(url).href.replace(/\/+$/, '');

/** A server may rotate refresh tokens: then each refresh replaces the one that it was asked with, and the old one is taken for 30
 * seconds more. So a refresh whose answer was lost is tried again here until it succeeds, or the time is over. */
export class Session {
  #url;
  #refresh;
  #storage;
  #unused; // an access token, and until when it counts as fresh
  #refreshed = 0; // times
  #attempt = null;
  #rescue = null;

  constructor(url, refresh, {access = null, storage = null} = {}) {
    this.#url = baseUrl(url);
    this.#storage = storage;
    this.#unused = access && {access, until: Infinity};
    this.#keep(refresh);
  }

  static async login(url, username, password, {storage} = {}) {
    const {refresh, access} = await postForTokens(
      `${baseUrl(url)}/login/`, {username, password}, 10_000, 'refresh', 'access');
    return new Session(url, refresh, {access, storage});
  }

  static resume(url, storage) {
    const refresh = storage.getItem(`taskbeam:${baseUrl(url)}`);
    return refresh && new Session(url, refresh, {storage});
  }

  async token() {
    const {access, until} = this.#unused ?? {};
    this.#unused = null;
    if (access && performance.now() < until) return access;
    const fresh = await this.#refreshOnce();
    this.#unused = null;
    return fresh;
  }

  async logout() {
    this.#rescue?.abort();
    await this.#attempt?.catch(() => {});
    await postForTokens(`${this.#url}/logout/`, {refresh: this.#current()}, 10_000);
    this.#keep(null);
  }

  #keep(refresh) {
    this.#refresh = refresh;
    if (refresh) {
      this.#storage?.setItem(`taskbeam:${this.#url}`, refresh);
    } else {
      this.#storage?.removeItem(`taskbeam:${this.#url}`);
    }
  }

  /** Another tab may have a newer one, or have logged out. */
  #current() {
    const refresh = this.#storage ? this.#storage.getItem(`taskbeam:${this.#url}`) : this.#refresh;
    if (!refresh) throw new LoggedOut('logged out');
    return refresh;
  }

  #refreshOnce() {
    this.#attempt ??= this.#refreshNow().finally(() => { this.#attempt = null; });
    return this.#attempt;
  }

  async #refreshNow() {
    try {
      const {access, refresh} = await postForTokens(
        `${this.#url}/token-refresh/`, {refresh: this.#current()}, 5_000, 'access');
      if (isText(refresh)) this.#keep(refresh);
      this.#refreshed++;
      this.#unused = {access, until: performance.now() + 10_000}; // its caller may have gone
      return access;
    } catch (error) {
      if (error instanceof LoggedOut) {
        this.#keep(null);
      } else if (error.perhapsDone && !this.#rescue) {
        this.#tryAgain();
      }
      throw error;
    }
  }

  /** Until there are new tokens, whoever got them, or it is too late, or the session is over. */
  async #tryAgain() {
    const refreshed = this.#refreshed;
    const {signal} = this.#rescue = new AbortController();
    for (const until = performance.now() + 20_000; performance.now() < until;) {
      await sleep(between(500, 1500));
      if (signal.aborted || this.#refreshed > refreshed) break;
      try {
        await this.#refreshOnce();
      } catch (error) {
        if (error instanceof LoggedOut) { // whoever calls next is told
          break;
        }
      }
    }
    this.#rescue = null;
  }
}

/** How long to wait before the next try: up to `first`, then twice that, `most` at most. All clients of a server that was
 * restarted begin at once, so the spread matters as much as the growth. */
class Backoff {
  #ceiling;

  constructor({first = 1000, most = 30_000} = {}) {
    Object.assign(this, {first, most});
    this.#ceiling = Math.min(first, most);
  }

  next() {
    const delay = between(0, this.#ceiling);
    this.#ceiling = Math.min(this.most, 2 * this.#ceiling);
    return delay;
  }

  /** What was tried has worked for so long: begin anew, if that is longer than the wait for it. */
  lasted(time) {
    if (time >= this.#ceiling) this.#ceiling = Math.min(this.first, this.most);
  }
}

/** Runs the core on one WebSocket, until `ended`: a promise of the error that ended it. */
class Connection {
  #timer;
  #held = null; // steps that wait for an end of the doubt
  #isOver = false;
  #end;

  /** `doubt()`: a promise to wait for before a step, or `null`; `onStep` is called after each step of the core. */
  constructor(socket, core, token, timeout, doubt, onStep) {
    Object.assign(this, {socket, core, doubt, onStep});
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.#timer = setTimeout(() => this.end(new Unreachable('it does not open')), timeout);
    socket.onopen = () => this.#step(() => core.begin(token, performance.now()));
    socket.onmessage = ({data}) => this.#step(() => core.receive(parsed(data), performance.now()));
    socket.onerror = () => {}; // the close event follows
    socket.onclose = ({code, reason}) => this.end(new Unreachable(reason || 'no connection', {closeCode: code}));
  }

  /** Say what is to be said now. */
  pump() {
    if (this.socket.readyState === 1) this.#step(() => {});
  }

  #step(work) {
    clearTimeout(this.#timer);
    const doubt = this.#held ? null : this.doubt();
    if (doubt) {
      this.#held = [];
      doubt.catch(() => {}).then(() => {
        const held = this.#held;
        this.#held = null;
        held.forEach((each) => this.#take(each));
      });
    }
    if (this.#held) {
      this.#held.push(work);
    } else {
      this.#take(work);
    }
  }

  #take(work) {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    try {
      work();
      const {send, wait} = this.core.poll(performance.now());
      if (send) this.socket.send(JSON.stringify(send));
      this.#timer = setTimeout(() => this.#step(() => {}), wait ?? 0);
    } catch (error) {
      this.end(error);
    }
    this.onStep(this);
  }

  /** Close without waiting for the server, and `cut` it without a word where that can be. */
  end(error, cut = true) {
    clearTimeout(this.#timer);
    this.#isOver = true;
    const {socket} = this;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (cut && socket.terminate) { // of the package ws: it waits for silent servers otherwise
      socket.terminate();
    } else {
      socket.close();
    }
    this.#end(error);
  }
}

function parsed(data) {
  try {
    const frame = JSON.parse(data);
    if (!frame || typeof frame !== 'object' || Array.isArray(frame)) throw new TypeError('it is no object');
    return frame;
  } catch (error) {
    throw new ClientDefect(`a frame is no object of JSON: ${String(data).slice(0, 200)}`, {cause: error});
  }
}

// ---------------------------------------------------------------- 4 Storage

const STORES = ['copy', 'tasks', 'writes'];

const answer = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const SLICE = 500; // tasks that are saved at once

/**
 * Tasks by their place in the list, writes by their id, and three rows: `copy` says whose the tasks are, as of which `seq`, and the
 * `first` place; those from `unfinished` on are of a list that is not whole yet; `term` counts who has taken the storage over.
 */
export class IndexedDbStorage {
  #name;
  #database = null;
  #places = new Map(); // by uuid
  #first = 0; // place
  #last = 0;
  term = null;

  constructor(name) {
    this.#name = `taskbeam:${name}`;
  }

  static async erase(name) {
    await answer(indexedDB.deleteDatabase(`taskbeam:${name}`));
  }

  async #begin(mode) {
    this.#database ??= (async () => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => STORES.forEach((store) => request.result.createObjectStore(store));
      const database = await answer(request);
      database.onversionchange = () => database.close(); // `erase` in another tab
      return database;
    })();
    const transaction = (await this.#database).transaction(STORES, mode);
    return [transaction, ...STORES.map((name) => transaction.objectStore(name))];
  }

  async load() {
    const [, ...stores] = await this.#begin('readonly');
    return this.#read(stores);
  }

  async takeOver() {
    const [, ...stores] = await this.#begin('readwrite');
    const [copies, rows] = stores;
    const [term = 0, unfinished] = await Promise.all([copies.get('term'), copies.get('unfinished')].map(answer));
    this.term = term + 1;
    copies.put(this.term, 'term');
    if (unfinished !== undefined) {
      rows.delete(IDBKeyRange.lowerBound(unfinished));
      copies.delete('unfinished');
    }
    return this.#read(stores);
  }

  async #read([copies, rows, kept]) {
    const [{first = 0, ...copy} = {}, unfinished = Infinity] = await Promise.all(
      [copies.get('copy'), copies.get('unfinished')].map(answer));
    const range = IDBKeyRange.bound(first, unfinished, false, true);
    const [tasks, places, writes] = await Promise.all(
      [rows.getAll(range), rows.getAllKeys(range), kept.getAll()].map(answer));
    this.#places = new Map(tasks.map(({uuid}, index) => [uuid, places[index]]));
    this.#first = first;
    this.#last = places.at(-1) ?? first;
    return {epoch: null, userId: null, seq: 0, ...copy, tasks, writes};
  }

  async save({copy, whole, tasks, removed, added, settled}) {
    const isSaved = await this.#write(added, ([copies, rows, writes]) => {
      settled.forEach((id) => writes.delete(id));
      if (!copy || whole) return;
      copies.put({...copy, first: this.#first}, 'copy');
      for (const task of tasks) {
        if (!this.#places.has(task.uuid)) this.#places.set(task.uuid, ++this.#last);
        rows.put(task, this.#places.get(task.uuid));
      }
      for (const uuid of removed.filter((each) => this.#places.has(each))) {
        rows.delete(this.#places.get(uuid));
        this.#places.delete(uuid);
      }
    });
    return isSaved && (!whole || this.saveList(copy, tasks, () => {}));
  }

  async saveList(copy, tasks, pause) {
    const places = new Map();
    const first = ++this.#last;
    for (let from = 0, isLast = false; !isLast; from += SLICE) { // a transaction cannot last over a pause
      isLast = from + SLICE >= tasks.length;
      await pause();
      const isSaved = await this.#write([], ([copies, rows]) => {
        copies.put(first, 'unfinished');
        for (const task of tasks.slice(from, from + SLICE)) {
          places.set(task.uuid, ++this.#last);
          rows.put(task, this.#last);
        }
        if (isLast) {
          copies.put({...copy, first}, 'copy');
          copies.delete('unfinished');
          rows.delete(IDBKeyRange.upperBound(first, true));
        }
      });
      if (!isSaved) return false;
    }
    this.#places = places;
    this.#first = first;
    return true;
  }

  /** Add writes; and the rest, unless another tab has taken over: `false`. */
  async #write(added, putRest) {
    const [transaction, ...stores] = await this.#begin('readwrite');
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error('the database was closed'));
    });
    done.catch(() => {}); // it is waited for below
    added.forEach((write) => stores[2].put(write, write.id));
    const isOurs = this.term === null || this.term === await answer(stores[0].get('term'));
    if (isOurs) putRest(stores);
    await done;
    return isOurs;
  }

  async has(id) {
    const [, , , writes] = await this.#begin('readonly');
    return await answer(writes.getKey(id)) !== undefined;
  }

  async close() {
    (await this.#database)?.close();
  }
}

// ---------------------------------------------------------------- 5 Client

const SILENCE = 4; // seconds in which a tab that leads does not answer
const MAX_LENGTHS = {task: 255, description: 10_000}; // the server's
const BLANKS = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+'; // those it trims
const AROUND = new RegExp(`^${BLANKS}|${BLANKS}$`, 'g');

/** The fields as the server keeps them. A wrong type is a defect of the application. */
function trimmed(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) => {
    const type = {task: 'string', description: 'string', completed: 'boolean'}[name];
    if (typeof value !== type) {
      throw new TypeError(type ? `${name}: a ${type} is expected` : `${name} is no field of a task`);
    }
    return [name, type === 'string' ? value.replace(AROUND, '') : value];
  }));
}

/** The errors of texts that cannot be sent: the server would end the connection, and every write behind them with it. */
function unsayable(fields) {
  const errors = {};
  for (const [name, most] of Object.entries(MAX_LENGTHS)) {
    const text = fields[name] ?? '';
    if ([...text].length > most) {
      errors[name] = [`Ensure this field has no more than ${most} characters.`];
    } else if (/\p{Surrogate}/u.test(text)) { // half a pair
      errors[name] = ['Not a valid string.'];
    }
  }
  return Object.keys(errors).length ? errors : null;
}

function canonicalUuid(uuid) {
  const digits = typeof uuid === 'string' ? uuid.replaceAll('-', '').toLowerCase() : '';
  if (!/^[0-9a-f]{32}$/.test(digits)) throw new TypeError('uuid: a UUID is expected');
  return digits.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function newUuid() {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto) { // `randomUUID` is for pages of https alone
    crypto.getRandomValues(bytes);
  } else { // Node 18
    bytes.forEach((_, index) => { bytes[index] = Math.random() * 256; });
  }
  bytes[6] = bytes[6] & 0x0f | 0x40;
  bytes[8] = bytes[8] & 0x3f | 0x80;
  return canonicalUuid(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''));
}

export class TaskbeamClient extends EventTarget {
  #core;
  #url;
  #tokens;
  #options;
  #state = 'offline';
  #reason = null; // the error that the state is so for
  #ended = null; // the error that ended the client
  #phase = new AbortController(); // of leading, or of waiting to lead
  #waiting = new Map(); // by id of a write: what settles its promise, and the signal to withdraw it
  #lastId = 0;
  #connection = null;
  #token = null; // of the last connection
  #refusedTokens = 0; // one after another, each of them new
  #tryNow = null; // ends the wait for the next try
  #storage;
  #unsaved = nothingUnsaved();
  #saving = null;
  #savingList = null;
  #loaded; // a promise, that what was kept is there
  #setLoaded;
  #leads = true; // the one client of those that share a name which has the connection
  #channel = null; // to the others
  #term = 0; // of the last leader that was heard of: each one's is higher than those before
  #holds = false; // the lock
  #sure = 0; // when it was last known that the lock is not lost
  #silence = 0; // questions that the leader has not answered, one after another
  #watching = null;
  #greeted = 0; // when all were last told everything
  #awake = null; // a promise, after the page was frozen
  #isStale = false; // the leader has another copy, which is on its way
  #arrivals = null; // writes of others that come while what was kept is being read
  #running;

  constructor(url, tokens, options = {}) {
    super();
    const {timeout = 30_000, queueLimit = 1000, WebSocket = globalThis.WebSocket, backoff, name = null} = options;
    if (typeof WebSocket !== 'function') {
      throw new TypeError('WebSocket: there is none here, so give one, as of the package ws');
    }
    this.#core = new Core({timeout});
    this.#url = url;
    this.#tokens = tokens;
    this.#options = {timeout, queueLimit, WebSocket};
    const canShare = globalThis.indexedDB && globalThis.navigator?.locks && globalThis.BroadcastChannel;
    const shared = name !== null && canShare;
    this.#storage = shared ? new IndexedDbStorage(name) : options.storage ?? null;
    this.#loaded = new Promise((resolve) => { this.#setLoaded = resolve; });
    this.#running = this.#run(shared ? `taskbeam:${name}` : null, new Backoff(backoff)).catch((error) => this.#end(error));
  }

  // What there is

  get tasks() {
    return this.#core.replica.tasks;
  }

  get preview() {
    return this.#core.preview;
  }

  get seq() {
    return this.#core.replica.seq;
  }

  get epoch() {
    return this.#core.replica.epoch;
  }

  get userId() {
    return this.#core.replica.userId;
  }

  get state() {
    return this.#state;
  }

  get reason() {
    return this.#reason;
  }

  get waiting() {
    return this.#core.queue.size;
  }

  get statistics() {
    return {...this.#core.statistics};
  }

  ready() {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.#state === 'live' || this.#ended) {
          this.removeEventListener('state', look);
          this.#ended ? reject(this.#ended) : resolve();
        }
      };
      this.addEventListener('state', look);
      look();
    });
  }

  // Writing

  create({uuid = newUuid(), ...given}, {signal} = {}) {
    const fields = {description: '', completed: false, ...trimmed({task: null, ...given})};
    const now = new Date().toISOString().replace('Z', '000Z');
    const times = {time_created: now, time_modified: now};
    uuid = canonicalUuid(uuid);
    const base = Object.freeze({uuid, user_id: this.userId ?? 0, ...times, ...fields, rev: 1});
    return this.#enqueue({mode: 'create', taskId: uuid, base}, fields, signal);
  }

  update(uuid, fields, {rev, signal} = {}) {
    fields = trimmed(fields);
    return this.#enqueue({mode: 'update', fields, ...this.#known(uuid, rev)}, fields, signal);
  }

  delete(uuid, {rev, signal} = {}) {
    return this.#enqueue({mode: 'delete', ...this.#known(uuid, rev)}, {}, signal);
  }

  /** The task as it will be when this write has its turn; at the caller's revision, if that is another. */
  #known(uuid, rev) {
    const taskId = canonicalUuid(uuid);
    const base = this.preview.get(taskId);
    if (!base) throw new NotFound(taskId);
    if (rev !== undefined && !(Number.isSafeInteger(rev) && rev >= 0)) {
      throw new TypeError('rev: a revision is expected, a number from 1 on');
    }
    if (rev === undefined || rev === base.rev) return {taskId, rev: base.rev, base};
    return {taskId, rev, base: Object.freeze({...base, rev}), named: true};
  }

  #enqueue(write, fields, signal) {
    if (this.#ended) throw this.#ended;
    signal?.throwIfAborted();
    if (this.waiting >= this.#options.queueLimit) throw new QueueFull(`${this.waiting} writes are waiting`);
    const errors = unsayable(fields);
    const outcome = new Promise((resolve, reject) => {
      this.#lastId = Math.max(this.#lastId + 1, Date.now() * 1000);
      write.id = `${String(this.#lastId).padStart(16, '0')}-${newUuid()}`; // their order is that of the writes
      this.#waiting.set(write.id, {resolve, reject, signal});
      if (errors) { // a write that cannot be said fails alone, and before it is sent
        this.#tellOutcome({...write, error: {code: 'validation', errors}});
        return;
      }
      this.#core.add(write, !this.#storage);
      this.#save({added: [write]});
      this.#publish();
      this.#connection?.pump();
    });
    const withdraw = () => this.#withdraw(write.id);
    signal?.addEventListener('abort', withdraw);
    outcome.catch(() => {}).finally(() => signal?.removeEventListener('abort', withdraw)); // a failure is told by `writefailed` too
    return outcome;
  }

  /** The leader decides whether it is too late. One that it has not heard of yet is withdrawn as soon as it has. */
  #withdraw(id) {
    if (!this.#leads) {
      this.#tell({withdraw: id});
    } else if (this.#core.withdraw(id, !this.#storage)) {
      this.#publish();
    }
  }

  /** Another leader knows nothing of what the one before was asked to withdraw. */
  #withdrawAborted() {
    this.#waiting.forEach(({signal}, id) => signal?.aborted && this.#withdraw(id));
  }

  // Life

  async close() {
    this.#end(new ClientClosed('the client was closed'));
    await this.#running;
    await this.#saved();
    await this.#storage?.close?.();
  }

  retry() {
    if (!this.#leads) this.#tell({retry: true});
    this.#tryNow?.();
  }

  dropConnection() {
    this.#connection?.end(new Unreachable('dropped'));
  }

  #end(error) {
    if (this.#ended) return;
    this.#ended = error;
    if (this.#leads && (error instanceof LoggedOut || error instanceof ClientDefect)) {
      this.#tell({ended: {kind: error.name, message: error.message}});
    }
    this.#phase.abort();
    clearInterval(this.#watching);
    globalThis.document?.removeEventListener('freeze', this.#freeze);
    this.#setLoaded();
    this.#channel?.close();
    this.#connection?.end(error, false);
    const told = error instanceof TaskbeamError ? error : new ClientClosed('the client failed', {cause: error});
    this.#waiting.forEach(({reject}) => reject(told));
    this.#waiting.clear();
    this.#setState('ended', error);
  }

  #setState(state, reason = null) {
    this.#state = state;
    this.#reason = reason;
    if (this.#leads) this.#tell({state, reason: reason?.message});
    this.dispatchEvent(new Event('state'));
  }

  async #run(shared, backoff) {
    if (shared) {
      await this.#share(shared, backoff);
    } else {
      if (this.#storage) await this.#load(true);
      this.#publish();
      await this.#keepConnected(backoff);
    }
  }

  async #keepConnected(backoff) {
    while (!this.#ended && this.#leads) {
      const earliest = performance.now() + 1000; // for a try out of turn
      const {lost, lasted} = await this.#connect();
      if (this.#ended || !this.#leads) return;
      backoff.lasted(lasted);
      const turn = this.#pause(backoff.next(), earliest);
      this.#setState('offline', lost); // whoever hears of it may `retry`
      await turn;
    }
  }

  /** One connection, from the token to its end; says why it ended, and how long it was live. Throws what ends the client. */
  async #connect() {
    this.#setState('connecting');
    const isNew = this.#token === null;
    try {
      this.#token ??= await this.#newToken();
    } catch (error) {
      if (error instanceof LoggedOut) throw error;
      return {lost: error, lasted: 0};
    }
    if (this.#ended || !this.#leads) return {};
    let liveSince = Infinity;
    const doubt = () => this.#doubt();
    const connection = new Connection(this.#open(), this.#core, this.#token, this.#options.timeout, doubt, () => {
      if (this.#core.expiring !== null) {
        this.#renew(connection, this.#core.expiring);
        this.#core.expiring = null;
      }
      this.#publish();
      if (this.#core.live && this.#state !== 'live') {
        liveSince = performance.now();
        this.#refusedTokens = 0;
        this.#setState('live');
      }
    });
    this.#connection = connection;
    const lost = await connection.ended;
    this.#connection = null;
    this.#core.lose(performance.now());
    this.#publish();
    if (!this.#ended && this.#leads) this.#throwIfFinal(lost, isNew);
    return {lost, lasted: performance.now() - liveSince};
  }

  #open() {
    try {
      return new this.#options.WebSocket(this.#url);
    } catch (error) {
      throw new ClientDefect(`url: ws://… or wss://… is expected: ${error.message}`, {cause: error});
    }
  }

  /** What the contract says of each close code. A token of an earlier connection may have expired since then; one that `isNew`
   * must be good. */
  #throwIfFinal(lost, isNew) {
    const {closeCode} = lost;
    if (!(lost instanceof Unreachable)) throw lost;
    if (closeCode === CLOSED.TOKEN_REVOKED) throw new LoggedOut(lost.message);
    if (MEND_CLIENT.has(closeCode)) throw new ClientDefect(lost.message, {closeCode});
    if (closeCode === CLOSED.NOT_AUTHENTICATED || closeCode === CLOSED.TOKEN_EXPIRED) {
      this.#token = null;
      this.#refusedTokens += isNew && closeCode === CLOSED.NOT_AUTHENTICATED;
      if (this.#refusedTokens >= 3) throw new LoggedOut('new tokens are refused, one after another');
    }
  }

  async #newToken() {
    const {signal} = this.#phase;
    let giveUp, timer;
    const late = new Promise((_, reject) => {
      giveUp = () => reject(new Unreachable('no token in time'));
      timer = setTimeout(giveUp, this.#options.timeout);
      signal.addEventListener('abort', giveUp);
    });
    try {
      this.#token = await Promise.race([this.#tokens.token(), late]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
    return this.#token;
  }

  /** Where no token is to be had in time, the server closes the connection, and the next one tries again. */
  async #renew(connection, time) {
    while (this.#connection === connection) {
      await this.#pause(time * between(0.25, 0.5)); // not at once: one that lives shorter would be renewed without end
      if (this.#connection !== connection) return;
      try {
        this.#core.renew(await this.#newToken());
        connection.pump();
        return;
      } catch (error) {
        if (error instanceof LoggedOut) this.#end(error);
        time /= 2;
        await this.#pause(between(500, 1000));
      }
    }
  }

  /** Wait, but not longer than until the client ends; nor, after `earliest`, until a `retry`, or the browser is online again. */
  #pause(time, earliest = Infinity) {
    const {signal} = this.#phase;
    return new Promise((resolve) => {
      let until = performance.now() + time;
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        globalThis.removeEventListener?.('online', hurry);
        if (this.#tryNow === hurry) this.#tryNow = null;
        resolve();
      };
      let timer = setTimeout(end, time);
      const hurry = () => {
        if (until <= earliest) return;
        until = earliest;
        clearTimeout(timer);
        timer = setTimeout(end, earliest - performance.now());
      };
      signal.addEventListener('abort', end);
      if (earliest < Infinity) {
        this.#tryNow = hurry;
        globalThis.addEventListener?.('online', hurry);
      }
      if (signal.aborted) end();
    });
  }

  // What has happened

  #publish() {
    const {happened, taskIds} = this.#core.take();
    if (this.#leads && happened.length) {
      const isCopy = happened.some(({copy}) => copy); // who is there asks for it: most often nobody is
      this.#tell(isCopy ? {isStale: true, happened: happened.filter(({settled}) => settled)} : {happened});
      this.#save({happened});
    }
    for (const {settled} of happened) {
      if (settled) this.#tellOutcome(settled);
    }
    const changes = happened.flatMap(({change}) => change ?? []);
    if (taskIds === null || taskIds.length || changes.length) {
      this.dispatchEvent(Object.assign(new Event('change'), {taskIds, changes}));
    }
  }

  #tellOutcome({id, task, error, ...write}) {
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error?.code === 'withdrawn') { // and once it is not stored any more
      Promise.resolve(this.#saving).then(() => waiter?.reject(waiter.signal.reason));
    } else if (error) {
      const reason = failure(error);
      waiter?.reject(reason);
      this.dispatchEvent(Object.assign(new Event('writefailed'), {error: reason, write, own: waiter !== undefined}));
    } else {
      waiter?.resolve(task);
    }
  }

  // What is kept

  /** As the leader with `mayHaveSent`. Returns false where what is here already is newer. */
  async #load(mayHaveSent) {
    this.#arrivals = [];
    const storage = this.#storage;
    const kept = await (mayHaveSent && storage.takeOver ? storage.takeOver() : storage.load()).catch(notStored);
    const isNews = this.#begin(kept ?? {epoch: null, userId: null, seq: 0, tasks: [], writes: []}, mayHaveSent);
    const arrivals = this.#arrivals;
    this.#arrivals = null;
    arrivals.forEach((write) => this.#arrive(write));
    this.#setLoaded();
    return isNews;
  }

  /** A write of another tab. One that was suspended may tell of a write that was done meanwhile, and so is stored no more. */
  async #arrive(write) {
    try {
      if (this.#holds && !await this.#storage.has(write.id).catch(notStored)) return;
      this.#core.add(write, true);
      this.#connection?.pump();
      this.#publish();
    } catch (error) {
      this.#end(error);
    }
  }

  /** Begin with what is kept, or with the copy of the tab that is connected. Writes that are not stored yet are here alone. */
  #begin(copy, mayHaveSent) {
    const unsaved = this.#core.queue.all.filter(({stored}) => !stored);
    const isNews = this.#core.load(copy, mayHaveSent);
    unsaved.forEach((write) => this.#core.add(write, false));
    this.#lastId = Math.max(this.#lastId, ...copy.writes.map(({id}) => parseInt(id, 10)));
    return isNews;
  }

  /** What is new is collected while a save is under way. The next one stores what has become of it. */
  #save({added = [], happened = []}) {
    if (!this.#storage) return;
    this.#unsaved.added.push(...added);
    for (const {copy, change, reordered, settled, rebased} of happened) {
      this.#unsaved.whole ||= Boolean(copy || reordered);
      if (change) {
        this.#unsaved.taskIds.add(change.taskId);
      } else if (settled) {
        this.#unsaved.settled.push(settled.id);
      } else if (rebased) {
        this.#unsaved.added.push(rebased);
      }
    }
    if (this.#hasUnsaved) this.#saving ??= this.#saveAll();
  }

  /** What can be saved now: tasks wait while a list is being saved. */
  get #hasUnsaved() {
    const {added, settled, taskIds, whole} = this.#unsaved;
    return added.length + settled.length > 0 || ((whole || taskIds.size > 0) && !this.#savingList);
  }

  async #saveAll() {
    try {
      await this.#loaded;
      while (this.#hasUnsaved) {
        let {added, settled, taskIds, whole} = this.#unsaved;
        this.#unsaved = nothingUnsaved();
        if (this.#savingList || (whole && this.#storage.saveList)) { // the tasks wait
          Object.assign(this.#unsaved, {taskIds, whole});
          [taskIds, whole] = [[], false];
          this.#savingList ??= this.#saveList();
        }
        const {epoch, userId, seq} = this;
        const uuids = [...(whole ? this.tasks.keys() : taskIds)];
        const isSaved = await this.#storage.save({
          copy: whole || uuids.length ? {epoch, userId, seq} : null,
          whole,
          tasks: uuids.flatMap((uuid) => this.tasks.get(uuid) ?? []),
          removed: uuids.filter((uuid) => !this.tasks.has(uuid)),
          added: added.map(plain),
          settled,
        }).catch(notStored);
        if (isSaved === false) this.#stepDown();
        for (const write of added.map(plain)) {
          this.#core.mayBeSent(write.id);
          if (this.#core.queue.get(write.id)) this.#tell({write});
        }
        this.#withdrawAborted();
        this.#connection?.pump();
      }
    } catch (error) {
      this.#end(error);
    } finally {
      this.#saving = null;
    }
  }

  /** In slices, while the page has nothing better to do: the list is to be seen first. */
  async #saveList() {
    const pause = () => this.#phase.signal.aborted ? null : idle();
    try {
      await pause();
      Object.assign(this.#unsaved, {whole: false, taskIds: new Set()});
      const {epoch, userId, seq} = this;
      const tasks = [...this.tasks.values()];
      await this.#saving; // what has become of writes is stored before the tasks that show it
      if (!await this.#storage.saveList({epoch, userId, seq}, tasks, pause).catch(notStored)) this.#stepDown();
    } catch (error) {
      this.#end(error);
    }
    this.#savingList = null;
    this.#save({});
  }

  async #saved() {
    while (this.#saving || this.#savingList) await (this.#saving ?? this.#savingList);
  }

  // The tabs of a browser. All clients of one name share a storage, and the one that holds a lock leads: it has the connection and
  // keeps the tasks. It tells the others what happens; they store their writes and tell of them. When it goes, its lock goes to the
  // next. When it does not answer, since the browser has suspended it, one that is seen takes the lock; the storage counts such
  // terms, and refuses what a former leader would save. One that wakes asks for the lock's state before it goes on.

  async #share(name, backoff) {
    this.#leads = false;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({data}) => this.#hear(data);
    let leading = null;
    const lead = async (lock) => {
      leading = lock && this.#lead(backoff);
      await leading;
      return lock !== null;
    };
    const request = async (options) => {
      try {
        return await navigator.locks.request(name, options, lead);
      } catch (error) {
        if (error.name !== 'AbortError') throw error; // given up, or stolen
      } finally {
        this.#stepDown();
        this.#phase.abort();
        await leading?.catch(() => {}); // a lock that was stolen does not wait for it
      }
    };
    globalThis.document?.addEventListener('freeze', this.#freeze);
    if (!await request({ifAvailable: true})) await this.#load(false);
    while (!this.#ended) {
      await this.#awake;
      this.#begins();
      this.#publish();
      this.#tell({hello: Date.now()});
      this.#watching = setInterval(() => this.#watch(), 1000);
      this.#silence = 0;
      if (leading) this.#forgetUnknown();
      await request({signal: this.#phase.signal});
      if (this.#silence > SILENCE) await request({steal: true});
    }
  }

  /** From now on a transaction would not end, and hold up all tabs. */
  #freeze = () => {
    this.#awake = new Promise((resolve) => document.addEventListener('resume', resolve, {once: true}));
    this.#stepDown();
    this.#phase.abort();
  };

  #begins() {
    clearInterval(this.#watching);
    this.#phase = new AbortController();
    if (this.#ended) this.#phase.abort();
  }

  /** Look after the leader. What nobody sees can wait. */
  #watch() {
    if (globalThis.document?.hidden) {
      this.#silence = 0;
    } else if (++this.#silence > SILENCE) {
      this.#phase.abort();
    } else {
      this.#tell({ask: true});
    }
  }

  async #lead(backoff) {
    this.#begins();
    const {signal} = this.#phase;
    this.#holds = true;
    try {
      const isNews = await this.#load(true);
      if (signal.aborted) return;
      this.#unsaved.whole = !isNews; // the leader before has told more than it could store
      this.#leads = true;
      this.#sure = performance.now();
      this.#term = this.#storage.term;
      this.#tell({isStale: true});
      this.#publish();
      this.#withdrawAborted();
      this.#forgetUnknown();
      await this.#keepConnected(backoff);
      await this.#saved();
    } finally {
      this.#holds = false;
    }
  }

  /** A page that was suspended may have lost the lock. That it has comes before the answer to any question about locks. */
  #doubt() {
    const now = performance.now();
    const wasAway = now - this.#sure > SILENCE * 500;
    this.#sure = now;
    return this.#channel && wasAway ? navigator.locks.query() : null;
  }

  /** Lead no more, and send nothing from now on. */
  #stepDown() {
    if (!this.#leads || this.#ended) return;
    if (!this.#channel) throw new StorageFailed('another client uses the storage');
    this.#leads = false;
    this.#phase.abort();
    Object.assign(this.#unsaved, {settled: [], taskIds: new Set(), whole: false});
    this.#connection?.end(new Unreachable('another tab has taken over'));
  }

  /** The outcome of a write that is not queued any more was told, or is lost with the tab that had it. */
  async #forgetUnknown() {
    const {signal} = this.#phase;
    await this.#pause(5000);
    if (signal.aborted) return;
    const unknown = [...this.#waiting].filter(([id]) => !this.#core.queue.get(id));
    for (const [id, {reject}] of unknown) {
      reject(new ClientClosed('what has become of the write is not known'));
      this.#waiting.delete(id);
    }
  }

  #tell(message) {
    if (this.#ended && !message.ended) return;
    this.#channel?.postMessage(this.#leads ? {...message, term: this.#term} : message);
  }

  #hear({term, happened = [], ...message}) {
    if (term === undefined) {
      this.#hearTab(message);
    } else if (term < this.#term) { // of a leader that is none any more; but what has become of a write is true
      happened = happened.filter(({settled}) => settled && this.#waiting.has(settled.id));
      this.#core.follow(happened);
    } else {
      this.#term = term;
      this.#silence = 0;
      if (this.#leads) this.#stepDown();
      this.#hearLeader(message, happened);
    }
    this.#publish();
  }

  #hearTab({hello, ask, here, write, withdraw, retry}) {
    if (here) {
      this.#silence = 0;
    } else if (ask && this.#holds) {
      this.#tell({here: true});
    } else if (hello >= this.#greeted && this.#leads) {
      this.#greeted = Date.now();
      this.#tell({copy: this.#core.copy});
      this.#tell({state: this.#state, reason: this.#reason?.message});
    } else if (write) {
      this.#arrivals ? this.#arrivals.push(write) : this.#arrive(write);
    } else if (withdraw && this.#leads) { // after the write, whose arrival has asked the storage too
      this.#storage.has(withdraw).then(() => this.#withdraw(withdraw), (error) => this.#end(error));
    } else if (retry && this.#leads) {
      this.retry();
    }
  }

  #hearLeader({copy, isStale, write, state, reason, ended}, happened) {
    if (copy) {
      this.#isStale = false;
      this.#begin(copy, false);
      this.#withdrawAborted();
    } else if (write) {
      this.#hearTab({write});
    } else if (ended) {
      this.#end(new {LoggedOut, ClientDefect}[ended.kind](ended.message));
    } else if (state) {
      this.#setState(state, reason === undefined ? null : new Unreachable(reason));
    }
    this.#isStale ||= Boolean(isStale);
    const known = this.#isStale ? happened.filter(({settled}) => settled) : happened;
    if (!this.#core.follow(known) || isStale) this.#tell({hello: Date.now()});
  }
}

const nothingUnsaved = () => ({added: [], settled: [], taskIds: new Set(), whole: false});

const idle = () => new Promise((resolve) => {
  globalThis.requestIdleCallback ? requestIdleCallback(resolve, {timeout: 1000}) : setTimeout(resolve, 20);
});

function notStored(error) {
  throw new StorageFailed(`the storage has failed: ${error.message}`, {cause: error});
}
