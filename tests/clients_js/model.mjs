// The client's core against a model of the server, without a network and without time: `play(Core, seed, story)` is one random story
// of writes, lost connections, lost answers and refusals, and ends with everything at rest. It returns what is wrong. In a story there
// are, or are not: `others`, who write too; `reloads`, after which the client has what was kept, by which another tab, too, takes over
// from one that was suspended; a storage that `lags` behind what is told; a server that `forgets` its log; writes that are `withdrawn`.

function randomOf(seed) { // mulberry32
    return () => {
        seed = seed + 0x6d2b79f5 | 0;
        let value = Math.imul(seed ^ seed >>> 15, 1 | seed);
        value = value + Math.imul(value ^ value >>> 7, 61 | value) ^ value;
        return ((value ^ value >>> 14) >>> 0) / 2 ** 32;
    };
}

class Server {
    seq = 0;
    log = [];
    seqs = new Map(); // by text of a task: the first change that has it
    tasks = new Map(); // oldest first
    refusals = 0;
    unanswered = new Set(); // seqs of changes whose request was answered as if they were not done

    constructor(random) {
        this.random = random;
    }

    change(mode, taskId, task) {
        this.seq++;
        if (task) this.tasks.set(taskId, task);
        else this.tasks.delete(taskId);
        if (mode === 'create') {
            const inOrder = [...this.tasks.values()].sort((one, other) => one.time_created.localeCompare(other.time_created));
            this.tasks = new Map(inOrder.map((each) => [each.uuid, each]));
        }
        if (task && !this.seqs.has(task.task)) this.seqs.set(task.task, this.seq);
        const change = {seq: this.seq, mode, task_id: taskId, task};
        this.log.push(change);
        return change;
    }

    /** {change} or {error}. */
    write({mode, task_id, rev, data}) {
        if (mode === 'create') {
            const stored = this.tasks.get(data.uuid);
            if (stored) return {replayed: stored};
            // Clocks disagree, and two tasks may have the same time.
            const time = `2026-01-01T00:00:${String(Math.floor(this.seq / 3 + 1.2 * this.random())).padStart(6, '0')}`;
            return {change: this.change(mode, data.uuid, {
                user_id: 1, time_created: time, time_modified: time, description: '', completed: false, ...data, rev: 1,
            })};
        }
        const task = this.tasks.get(task_id);
        if (!task) return {error: {code: 'not_found', message: 'Task not Found!'}};
        if (rev !== undefined && rev !== task.rev) return {error: {code: 'conflict', message: 'Conflict', task}};
        if (data?.task === '') return {error: {code: 'validation', message: 'bad', errors: {task: ['blank']}}};
        return {change: this.change(mode, task_id, mode === 'delete' ? null : {...task, ...data, rev: task.rev + 1})};
    }

    /** The answer to a request; `pushed` gets the changes that it makes. */
    answer(request, pushed) {
        const {mode, id, since, limit, offset} = request;
        const refused = (code, more) => ({type: 'error', message: code, code, id, ...more});
        if (request.type === 'auth') {
            this.refusals = 4; // more would be of a client that sends no slower
            if (this.random() < 0.1) return refused('rate_limited', {retry_after: 0.1});
            return {type: 'auth', user_id: 1, epoch: 'epoch', seq: this.seq, id};
        }
        const luck = this.random();
        if (luck < 0.05 && this.refusals-- > 0) return refused('rate_limited', {retry_after: 0.1});
        if (luck > 0.05 && luck < 0.1) return refused('unavailable', {retry_after: 0.1});
        if (mode === 'all') {
            const list = [...this.tasks.values()];
            return {type: 'task.update', mode, task: list.slice(offset, offset + Math.min(limit, 12)), seq: this.seq, count: list.length, id};
        }
        if (mode === 'sync') {
            const first = this.log[0]?.seq ?? this.seq + 1;
            if (since > this.seq || since < first - 1) {
                return {type: 'sync', recovered: false, reason: 'history_gone', epoch: 'epoch', seq: this.seq, id};
            }
            const changes = this.log.filter(({seq}) => seq > since).slice(0, 3);
            const seq = changes.at(-1)?.seq ?? this.seq;
            return {type: 'sync', recovered: true, changes, seq, more: seq < this.seq, id};
        }
        if (mode === 'ping') return {type: 'pong', seq: this.seq, id};
        const {change, replayed, error} = this.write(request);
        if (change && luck < 0.15) { // it is done all the same
            pushed.push(change);
            this.unanswered.add(change.seq);
            return refused(luck < 0.12 ? 'unavailable' : 'internal', {retry_after: 0.1, ref: 'x'});
        }
        if (change) return {...frameOf(change), id};
        return replayed ? {...frameOf({mode, task: replayed, task_id: replayed.uuid}), replayed: true, id} : refused(error.code, error);
    }
}

const frameOf = ({seq, mode, task_id, task}) =>
    ({type: 'task.update', mode, task: task ?? {message: 'Task deleted!'}, task_id, seq});

export function play(Core, seed, {others, reloads, lags, forgets, withdraws}) {
    const random = randomOf(seed);
    const chance = (part) => random() < part;
    const pick = (list) => list[Math.floor(random() * list.length)];
    const server = new Server(random);
    const outcomes = new Map(); // by id of a write
    const written = new Map(); // by id
    const wrong = [];
    let told = null; // the last seq
    let core = new Core({random});
    let now = 0, connected = false, pushes = false, up = [], down = [], late = [], number = 0, begun = 0;

    let kept = null, added = []; // the copy that was last stored, and the writes since then, which are stored at once
    const keep = () => {
        kept = JSON.parse(JSON.stringify(core.copy));
        added = [];
    };

    const settle = ({id, mode, taskId, error}) => {
        const before = outcomes.get(id);
        outcomes.set(id, error?.code ?? 'done');
        const same = error ? before !== 'done' : before === 'done' || mode === 'delete'; // by whom, nobody knows
        if (before && !(lags && same)) wrong.push(`${id} is ${outcomes.get(id)}, after it was ${before}`);
        if (error?.code === 'withdrawn') return;
        const {text} = written.get(id);
        if (!error && mode !== 'delete' && !(server.seqs.get(text) <= core.replica.seq)) wrong.push(`${id} is done before it is seen`);
        if (!error && mode === 'delete' && core.replica.tasks.has(taskId)) wrong.push(`${id} is done before it is seen`);
        const known = core.replica.tasks.get(taskId);
        if (error?.code === 'conflict' && known && known.rev < error.task.rev) wrong.push(`${id} is a conflict with what is not seen`);
        if (error?.code === 'not_found' && known) wrong.push(`${id}: its task is there`);
        if (!others && !lags && (error?.code === 'conflict' || error?.code === 'not_found')) wrong.push(`${id}: with whom is there a ${error.code}?`);
    };
    const take = () => {
        for (const {copy, change, settled} of core.take().happened) {
            if (change && change.seq !== told + 1) wrong.push(`change ${change.seq} after ${told}`);
            if (copy || change) told = (copy ?? change).seq;
            if (change && !others && !reloads && !change.own && change.seq > begun && !server.unanswered.has(change.seq)) {
                wrong.push(`whose is change ${change.seq}?`);
            }
            if (settled) settle(settled);
        }
    };
    const step = (work) => {
        try {
            work();
            const {send} = connected ? core.poll(now) : {};
            if (send) up.push(JSON.parse(JSON.stringify(send)));
        } catch (error) {
            if (error.name !== 'Unreachable') throw error;
            cut();
        }
        take();
    };
    const carryOut = () => {
        const pushed = [];
        const request = up.shift();
        const answer = server.answer(request, pushed);
        pushes ||= answer.type === 'auth'; // from its seq on
        late.push(...pushed.map(frameOf));
        if (answer.type !== 'error') push(); // what was before a state or a change goes out before it
        down.push(answer);
    };
    const push = () => {
        down.push(...late);
        late = [];
    };
    const cut = () => {
        while (up.length && chance(0.5)) carryOut(); // what has arrived is done, though nobody hears of it
        up = [], down = [], late = [];
        if (forgets && chance(0.3)) server.log = [];
        connected = pushes = false;
        core.lose(now);
        take();
    };
    const connect = () => {
        connected = true;
        step(() => core.begin('token', now));
    };
    const deliver = () => step(() => core.receive(JSON.parse(JSON.stringify(down.shift())), now));
    const write = () => {
        const text = `text ${seed}/${number++}`; // of this write alone
        const base = pick([...core.preview.values()]);
        const id = String(number).padStart(8, '0');
        const kind = base ? pick(['create', 'update', 'update', 'delete', 'bad']) : 'create';
        let made = {id, mode: kind, taskId: base?.uuid, rev: base?.rev, base};
        if (kind === 'create') {
            const uuid = `uuid ${number}`;
            made = {id, mode: kind, taskId: uuid, base: {
                uuid, task: text, description: '', completed: false, user_id: 1, time_created: '2026-01-02', time_modified: '', rev: 1}};
        } else if (kind !== 'delete') {
            made = {...made, mode: 'update', fields: {task: kind === 'bad' ? '' : text}};
        }
        written.set(id, {...made, text});
        added.push(made);
        step(() => core.add(made, true));
    };
    const withdraw = () => {
        const write = pick(core.queue.all);
        if (!write) return;
        const {sent} = write;
        step(() => { if (core.withdraw(write.id, true) === sent) wrong.push(`${write.id}: sent and withdrawn, or neither`); });
        keep();
    };
    const another = (...kinds) => {
        const task = pick([...server.tasks.values()]);
        const mode = task ? pick(kinds) : 'create';
        const data = {task: `theirs ${number++}`, ...(mode === 'create' && {uuid: `their uuid ${number}`})};
        const {change} = server.write({mode, task_id: task?.uuid, data});
        if (pushes) late.push(frameOf(change));
    };
    const oldest = () => {
        for (const {uuid} of [...server.tasks.values()].slice(0, 6)) {
            const {change} = server.write({mode: 'delete', task_id: uuid});
            if (pushes) late.push(frameOf(change));
        }
        another('create');
    };
    const reload = () => {
        if (connected) cut();
        if (!lags || !kept?.epoch) keep();
        core = new Core({random});
        core.load(JSON.parse(JSON.stringify({...kept, writes: [...kept.writes, ...added]})), true);
        told = core.replica.seq;
        take();
    };
    const forget = () => { server.log.splice(0, server.log.length >> 1); };

    const turn = (faults) => {
        now += 20 * random();
        if (!connected) return connect();
        if (faults && chance(0.04)) return cut();
        if (chance(0.3)) push();
        if (down.length && chance(0.6)) return deliver();
        if (up.length) return carryOut();
        return step(() => {});
    };
    for (let count = 150 * random(); count > 0; count--) another('create', 'create', 'update', 'delete');
    begun = server.seq;
    for (let count = 0; count < 300; count++) {
        if (lags && chance(0.05)) keep();
        if (chance(0.1)) write();
        else if (withdraws && chance(0.06)) withdraw();
        else if (others && chance(0.1)) another('create', 'update', 'delete');
        else if (others && chance(core.live ? 0.01 : 0.08)) oldest();
        else if (reloads && chance(0.03)) reload();
        else if (forgets && chance(0.02)) forget();
        else turn(true);
    }
    for (let count = 0; count < 20_000 && !(core.live && !core.queue.size && !up.length && !down.length && !late.length); count++) {
        now += 50;
        turn(false);
    }

    const tasks = JSON.stringify([...server.tasks.values()]);
    if (core.queue.size) wrong.push(`${core.queue.size} writes have no outcome`);
    if (core.replica.seq !== server.seq) wrong.push(`seq ${core.replica.seq}, not ${server.seq}`);
    const same = (map) => JSON.stringify([...map.values()].map((task) => server.tasks.get(task.uuid) && {
        ...server.tasks.get(task.uuid), ...task})) === tasks;
    if (!same(core.replica.tasks)) wrong.push('the copy is not the list');
    if (!same(core.preview)) wrong.push('the preview is not the list');
    if (core.statistics.gaps || core.statistics.duplicates) wrong.push('gaps or duplicates');
    for (const [id, {mode, text, fields}] of written) {
        const isDone = server.seqs.has(text);
        const missed = forgets && others && outcomes.get(id) !== 'done'; // who knows, without the log
        if (mode !== 'delete' && fields?.task !== '' && !missed && isDone !== (outcomes.get(id) === 'done')) {
            wrong.push(`${mode} ${id} was ${outcomes.get(id)}, and is ${isDone ? '' : 'not '}in the log`);
        }
    }
    return wrong.length ? {seed, wrong} : null;
}
