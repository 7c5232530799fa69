// What taskbeam.js exports. Times are milliseconds, unless they are the server's texts.

/** A task as the server has it. Times are ISO 8601 in UTC, always of one length: the order of the texts is that of the times. */
export interface Task {
    readonly uuid: string;
    readonly user_id: number;
    readonly time_created: string;
    readonly time_modified: string;
    readonly task: string;
    readonly description: string;
    readonly completed: boolean;
    /** 1 at its creation, one more at every change. */
    readonly rev: number;
}

/** What a user writes. */
export interface TaskFields {
    /** 1 to 255 characters. */
    task?: string;
    /** At most 10,000 characters. */
    description?: string;
    completed?: boolean;
}

/** One step of the user's log. */
export interface Change {
    readonly seq: number;
    readonly mode: 'create' | 'update' | 'delete';
    readonly taskId: string;
    /** The task after the change; `null` when it was deleted. */
    readonly task: Task | null;
    /** This client made it, or one that shares its name, and no other device. */
    readonly own: boolean;
}

/** Whatever this module throws on purpose, but for `TypeError` at a wrong call. */
export class TaskbeamError extends Error {}
/** The session is over: only a person, or a stored password, can begin another. */
export class LoggedOut extends TaskbeamError {}
/** The server refuses to speak with this client: going on would change nothing. */
export class ClientDefect extends TaskbeamError {
    /** What the server closed with, if it did. */
    readonly closeCode: number | null;
}
/** The network, or whatever answers in the server's place. The client goes on trying. */
export class Unreachable extends TaskbeamError {
    constructor(message: string, options?: {perhapsDone?: boolean; closeCode?: number | null; cause?: unknown});
    /** The request may have arrived. */
    readonly perhapsDone: boolean;
    /** What the server closed with, if it did. */
    readonly closeCode: number | null;
}
/** Too many requests of this address or account. */
export class RateLimited extends Unreachable {
    /** Seconds. */
    readonly retryAfter: number;
}
/** The client was closed before the write was done, or it is not known what has become of the write. */
export class ClientClosed extends TaskbeamError {}
/** Too many writes are waiting. Nothing was queued. */
export class QueueFull extends TaskbeamError {}
/** What should last could not be stored. */
export class StorageFailed extends TaskbeamError {}
/** The server has not done a write, and will not. The classes below say why. */
export class WriteFailed extends TaskbeamError {}
/** The task has moved on. */
export class Conflict extends WriteFailed {
    /** What the task is now; `null` where the server's history was replaced and has none. */
    readonly task: Task | null;
}
/** This user has no such task. */
export class NotFound extends WriteFailed {
    /** Its uuid. */
    readonly taskId: string;
}
/** A field is bad. */
export class Invalid extends WriteFailed {
    /** A list of texts for each bad field. */
    readonly errors: Readonly<Record<string, readonly string[]>>;
}
/** Any other reason. */
export class Refused extends WriteFailed {
    /** The server's word for it, as `limit_reached`. */
    readonly code: string;
    /** The server's error frame. */
    readonly frame: Readonly<Record<string, unknown>>;
}
/** It was made on top of a write that failed, which is the `cause`, or of a create that was withdrawn. Nothing was sent. */
export class EarlierWriteFailed extends WriteFailed {}
/** It was made while another user was logged in. */
export class AccountChanged extends WriteFailed {}

/** What gives the client its access tokens: a `Session`, or an object of yours. */
export interface TokenProvider {
    /** An access token that was not used before. `LoggedOut` ends the client; after any other error it asks again later. */
    token(): Promise<string>;
}

/** Keeps a refresh token: `localStorage`, or an object like it. */
export interface TokenStorage {
    /** What is kept under the key; `null`: nothing. */
    getItem(key: string): string | null;
    /** Keep a value under the key. */
    setItem(key: string, value: string): void;
    /** Keep nothing under the key. */
    removeItem(key: string): void;
}

/**
 * A login, and the usual token provider. It keeps the refresh token and not the password: when that token has expired, the session is
 * over. A refresh whose answer was lost is tried again for 20 seconds, since the server may rotate refresh tokens.
 */
export class Session implements TokenProvider {
    /** `url` is the REST gateway's. `storage` keeps the refresh token, for `resume` and for other tabs. */
    constructor(url: string, refresh: string, options?: {access?: string | null; storage?: TokenStorage | null});
    /** Log in. Throws `LoggedOut` (the credentials are wrong), `Invalid`, `RateLimited`, `Unreachable`. */
    static login(
        url: string, username: string, password: string, options?: {storage?: TokenStorage | null},
    ): Promise<Session>;
    /** The session that is kept there; `null` where there is none. */
    static resume(url: string, storage: TokenStorage): Session | null;
    /** A fresh access token. Concurrent calls share one request. Throws `LoggedOut`, `RateLimited`, `Unreachable`. */
    token(): Promise<string>;
    /** End the session, and with it every connection that it opened. Throws `LoggedOut`, `RateLimited`, `Unreachable`. */
    logout(): Promise<void>;
}

/** `live` while connected and caught up, else `connecting`, `offline` until the next try, or `ended`. */
export type State = 'offline' | 'connecting' | 'live' | 'ended';

/** What has happened so far. */
export interface Statistics {
    /** How often the client was connected. */
    connections: number;
    /** How often it asked for the changes that it had missed. */
    syncs: number;
    /** How often it read the whole list. */
    snapshots: number;
    /** Changes that came too early, which the server rules out. */
    gaps: number;
    /** Changes that came twice, which it rules out, too. */
    duplicates: number;
}

/** The preview has changed. */
export interface ChangeEvent extends Event {
    /** Of these tasks; `null`: of any. */
    readonly taskIds: readonly string[] | null;
    /** The server's changes since the last event, each once and in order. */
    readonly changes: readonly Change[];
}

/** A write has failed, and its effect is taken back. */
export interface WriteFailedEvent extends Event {
    /** Why. */
    readonly error: WriteFailed;
    readonly write: Omit<Write, 'id'>;
    /** This object made the write, and its promise says the same. */
    readonly own: boolean;
}

/** The events of a client, for `client.addEventListener(name, listener)`. */
export interface ClientEvents {
    /** The preview has changed. */
    change: ChangeEvent;
    /** `state` has changed. */
    state: Event;
    /** A write has failed, and is taken back. */
    writefailed: WriteFailedEvent;
}

/** A write that waits. */
export interface Write {
    readonly id: string;
    readonly mode: 'create' | 'update' | 'delete';
    readonly taskId: string;
    /** The revision that an update or delete is made on. */
    readonly rev?: number;
    /** What an update sets. */
    readonly fields?: TaskFields;
    /** The task before it; of a create, the new task. */
    readonly base: Task;
    /** `rev` was named by the caller, and is another than that of the task at that time. */
    readonly named?: boolean;
}

/** What is kept between two runs. */
export interface Kept {
    /** `null`: there was no copy yet. */
    epoch: string | null;
    userId: number | null;
    seq: number;
    /** In the order in which they were given. */
    tasks: Task[];
    /** In the order of their ids. */
    writes: Write[];
}

/** What there is to keep now. */
export interface Save {
    /** `null`: the copy is what it was. */
    copy: {epoch: string | null; userId: number | null; seq: number} | null;
    /** `tasks` are all that there are; else those that are new or have changed. */
    whole: boolean;
    tasks: Task[];
    /** Uuids of tasks that are gone. */
    removed: string[];
    added: Write[];
    /** Ids of writes that have their outcome; some may be among `added`. */
    settled: string[];
}

/** Where tasks and waiting writes outlast the client. Used by one client at a time. */
export interface TaskStorage {
    /** `null`: nothing is kept. */
    load(): Promise<Kept | null>;
    /** All of it or nothing. What it rejects with ends the client (`StorageFailed`), and so does `false`. */
    save(save: Save): Promise<void | boolean>;
    /** Called when the client is closed. */
    close?(): Promise<void>;
}

/** In a browser's IndexedDB, under a name. Several may be open at once, in several tabs: the last one to take over saves the tasks. */
export class IndexedDbStorage implements TaskStorage {
    constructor(name: string);
    /** Delete what is kept under a name, as after a logout. Clients that use it must be closed. */
    static erase(name: string): Promise<void>;
    /** What is kept. */
    load(): Promise<Kept>;
    /** As `load`. From now on nothing that earlier ones save is kept, but for new writes. */
    takeOver(): Promise<Kept>;
    /** How many have taken over, up to this one; `null`: this one has not. */
    readonly term: number | null;
    /** `false`: another has taken over, and of all this only `added` was saved. */
    save(save: Save): Promise<boolean>;
    /**
     * Save a whole list in slices, and wait for `pause` before each. Until the last one is saved, `load` gives the list before it.
     * Meanwhile `save` may be called with writes, not with tasks. `false`: another has taken over.
     */
    saveList(copy: NonNullable<Save['copy']>, tasks: Task[], pause: () => unknown): Promise<boolean>;
    /** Whether a write waits there. */
    has(id: string): Promise<boolean>;
    /** Close the database. */
    close(): Promise<void>;
}

/** How a task is written. */
export interface WriteOptions {
    /**
     * Aborting it withdraws the write, if it cannot have been sent yet: the promise rejects with the signal's reason, nothing is done,
     * and later writes to the task are done without it (after a withdrawn create they fail with `EarlierWriteFailed`). If it is too late
     * for that, aborting changes nothing, and the promise tells what becomes of the write.
     */
    signal?: AbortSignal;
}

/** How a task that there is already is written. */
export interface RevisionOptions extends WriteOptions {
    /** The revision to be changed. Default: the one that `preview` has. */
    rev?: number;
}

/** How a client works. */
export interface ClientOptions {
    /** For a connection to open, for a token to come, and for each answer. Default: 30,000. */
    timeout?: number;
    /** Writes that may wait. Default: 1000. */
    queueLimit?: number;
    /** The wait before the next try is a random one up to `first` (1000), then twice that, at most up to `most` (30,000). */
    backoff?: {first?: number; most?: number};
    /** The class to use. Default: the global one; `ws` has one for a Node that has none. */
    WebSocket?: new (url: string) => any;
    /**
     * Tasks and waiting writes are kept in IndexedDB under this name, and all clients of the name, in whichever tab of the
     * browser, share one connection. Take another name for each user. Where the browser has no IndexedDB, Web Locks (pages of
     * http have none, but for localhost) or BroadcastChannel, it is as if there were no name.
     */
    name?: string | null;
    /** Where there is no name. Default: tasks and writes are in memory alone. */
    storage?: TaskStorage | null;
}

/**
 * A user's tasks, here and on the server, until `close`. It connects at once.
 *
 * Writes are queued at once and in order, online or not, and return a promise of their outcome; nobody has to wait for it. A
 * write names the revision that its caller has seen, so that nobody overwrites what they do not know.
 */
export class TaskbeamClient extends EventTarget {
    /** `url` is `ws://…/ws/tasks/` or `wss://…`. */
    constructor(url: string, tokens: TokenProvider, options?: ClientOptions);

    /** The server's tasks at `seq`, by uuid, in order of creation. It changes by itself; do not change it. */
    readonly tasks: ReadonlyMap<string, Task>;
    /** The tasks as they will be, when all writes that wait are done: what a user interface shows. */
    readonly preview: ReadonlyMap<string, Task>;
    /** The position in the user's changes. */
    readonly seq: number;
    /** The server's history that `seq` belongs to; `null` until there is a copy. */
    readonly epoch: string | null;
    /** Whose tasks they are; `null` until there is a copy. */
    readonly userId: number | null;
    /** Whether it is connected. */
    readonly state: State;
    /** The error that has led to the state; `null` where none has. */
    readonly reason: unknown;
    /** How many writes have no outcome yet. */
    readonly waiting: number;
    /** What this object has done so far. */
    readonly statistics: Statistics;

    /** Wait until live. Throws what ended the client. */
    ready(): Promise<void>;
    /**
     * Create a task. With a uuid that this user has already, the stored task is the result. Throws `TypeError` and `QueueFull`; the
     * promise rejects with `Invalid` or `Refused`.
     */
    create(task: TaskFields & {task: string; uuid?: string}, options?: WriteOptions): Promise<Task>;
    /**
     * Change a task. Fields that are left out keep their value. Throws `TypeError`, `QueueFull`, `NotFound`; the promise rejects with
     * `Conflict`, `NotFound`, `Invalid` or `Refused`.
     */
    update(uuid: string, fields: TaskFields, options?: RevisionOptions): Promise<Task>;
    /** Delete a task. Throws `TypeError`, `QueueFull`, `NotFound`; the promise rejects with `Conflict` or `NotFound`. */
    delete(uuid: string, options?: RevisionOptions): Promise<null>;
    /** While offline, try now, and not when the wait is over; but no sooner than a second after the last try began. */
    retry(): void;
    /** Close the connection. Writes that wait fail with `ClientClosed`; with a name or a storage they are sent the next time. */
    close(): Promise<void>;
    /** Cut the connection, as networks do. The client connects again. */
    dropConnection(): void;

    /** Call `listener` at each event of the type: `change`, `state` or `writefailed`. */
    addEventListener<K extends keyof ClientEvents>(
        type: K, listener: (event: ClientEvents[K]) => void, options?: boolean | AddEventListenerOptions,
    ): void;
    /** Call it no more. */
    removeEventListener<K extends keyof ClientEvents>(
        type: K, listener: (event: ClientEvents[K]) => void, options?: boolean | EventListenerOptions,
    ): void;
}

/**
 * What the client knows, and what it says next, without a network: for a transport of your own. For each connection: `begin`; then
 * `poll` and `receive` in turn until the connection is lost; then `lose`. `take` tells what has happened meanwhile. `now` is in
 * milliseconds, of a clock that never goes back.
 */
export class Core {
    constructor(options?: {timeout?: number; random?: () => number});
    /** The tasks and writes to keep. */
    readonly copy: Kept;
    /** The tasks as they will be, when all writes that wait are done. */
    readonly preview: ReadonlyMap<string, Task>;
    /** Connected and caught up. */
    readonly live: boolean;
    readonly statistics: Statistics;
    /** The token ends in so many milliseconds; `null`: the server has not said so. */
    expiring: number | null;
    /** A connection is open; this access token is to be sent. */
    begin(token: string, now: number): void;
    /** Send another access token on the same connection. */
    renew(token: string): void;
    /** The connection is lost. */
    lose(now: number): void;
    /** What to send now, or how long to wait if nothing else happens. Throws what ends the connection. */
    poll(now: number): {send?: Record<string, unknown>; wait?: number};
    /** A frame has come. Throws what ends the connection. */
    receive(frame: object, now: number): void;
    /** Queue a write. Without `stored` it is not sent before `mayBeSent`. */
    add(write: Write, stored: boolean): void;
    /** A write is stored, and may be sent. */
    mayBeSent(id: string): void;
    /** Take a write back. `false`: there is none, or it may have been sent. */
    withdraw(id: string, stored: boolean): boolean;
    /** Begin with what was kept. With `mayHaveSent`, its writes may have been sent before. */
    load(kept: Kept, mayHaveSent: boolean): boolean;
    /** Take over what another core has taken. `false`: something before it is missing. */
    follow(happened: object[]): boolean;
    /** What has happened since the last call, and the tasks whose preview has changed; `null`: of any. */
    take(): {happened: object[]; taskIds: string[] | null};
}
