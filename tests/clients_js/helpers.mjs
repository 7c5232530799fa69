// What the tests' scripts find in Node and in a page alike: `newClient`, `until`, `outcome`, and `c` for what they keep. The
// client's module is `taskbeam`.

const WAIT = 20_000;

/** Wait until the condition is true. */
async function until(condition, what = condition) {
    for (const begin = performance.now(); !condition();) {
        if (performance.now() - begin > WAIT) {
            throw new Error(`not in time: ${what}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

/** A client that tries again quickly, and notes what it tells. */
function newClient(url, tokens, options) {
    const client = new globalThis.taskbeam.TaskbeamClient(url, tokens, {backoff: {first: 100, most: 1000}, ...options});
    client.seen = {changes: [], seqs: [], snapshots: 0, failed: [], states: []};
    client.addEventListener('change', ({taskIds, changes}) => {
        client.seen.changes.push(...changes);
        client.seen.seqs.push(...changes.map(({seq}) => seq));
        client.seen.snapshots += taskIds === null;
    });
    client.addEventListener('state', () => client.seen.states.push(client.state));
    client.addEventListener('writefailed', ({error, write, own}) => client.seen.failed.push({name: error.name, write, own}));
    return client;
}

/** What a promise comes to: its value, or the name of its error and what it has. */
async function outcome(promise) {
    try {
        return {value: await promise};
    } catch (error) {
        return {error: error.name, ...error, cause: error.cause?.name};
    }
}

const AsyncFunction = (async () => {}).constructor;

/** Run the body of an async function. Returns {value} or {error}. */
async function run(script, args) {
    try {
        return {value: await new AsyncFunction(script).apply(null, args) ?? null};
    } catch (error) {
        return {error: `${error.stack ?? error}`};
    }
}

Object.assign(globalThis, {newClient, until, outcome, c: {}});
export {run};
