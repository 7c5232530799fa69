// Uses all that the package declares, the way an application does; compiled, not run.
import {
    AccountChanged, ClientClosed, ClientDefect, Conflict, EarlierWriteFailed, IndexedDbStorage, Invalid, LoggedOut, NotFound, QueueFull,
    RateLimited, Refused, Session, StorageFailed, TaskbeamClient, TaskbeamError, Unreachable, WriteFailed,
    type Change, type Kept, type Save, type Task, type TaskStorage, type TokenProvider,
} from 'taskbeam';

class Memory implements TaskStorage {
    kept: Kept | null = null;

    async load(): Promise<Kept | null> {
        return this.kept;
    }

    async save({copy, tasks, added}: Save): Promise<void> {
        this.kept = copy && {...copy, tasks, writes: added};
    }
}

export async function use(): Promise<string> {
    const session: TokenProvider = Session.resume('http://x', localStorage)
        ?? await Session.login('http://x', 'ann', 'secret', {storage: localStorage});
    const client = new TaskbeamClient('ws://x', session, {
        timeout: 1, queueLimit: 2, backoff: {first: 1}, WebSocket, storage: new Memory(),
    });
    const shared = new TaskbeamClient('ws://x', session, {name: 'ann'});
    await IndexedDbStorage.erase(shared.state);
    const seen: Change[] = [];
    client.addEventListener('change', ({taskIds, changes}) => {
        seen.push(...changes);
        taskIds?.map((uuid: string) => client.preview.get(uuid)?.rev.toFixed());
    });
    client.addEventListener('state', () => client.state === 'live');
    client.addEventListener('writefailed', ({error, write, own}) => [error.message, write.taskId, own && write.mode]);
    const task: Task = await client.create({task: 'Milk', uuid: 'x'});
    const undo = new AbortController();
    client.create({task: 'Bread'}, undo).catch(() => client.retry());
    undo.abort();
    const nothing: null = await client.delete((await client.update(task.uuid, {completed: true}, {rev: 1, ...undo})).uuid);
    // @ts-expect-error: the copy is not to be changed
    client.tasks.clear();
    // @ts-expect-error: a task has a text
    client.create({description: 'x'});
    // @ts-expect-error: a task is what the server has
    task.rev = 2;
    try {
        await client.close();
    } catch (error) {
        if (error instanceof Conflict) return error.task?.task ?? '';
        if (error instanceof NotFound) return error.taskId;
        if (error instanceof Invalid) return error.errors['task']?.join() ?? '';
        if (error instanceof Refused) return error.code;
        if (error instanceof RateLimited) return error.retryAfter.toFixed();
        if (error instanceof Unreachable) return `${error.perhapsDone} ${error.closeCode}`;
        if (error instanceof ClientDefect) return `${error.closeCode}`;
        const others = [AccountChanged, ClientClosed, EarlierWriteFailed, LoggedOut, QueueFull, StorageFailed, WriteFailed];
        return others.some((kind) => error instanceof kind) && error instanceof TaskbeamError ? error.message : '';
    }
    return String(nothing);
}
