// Runs scripts: one line of JSON in, {script, args}, one line out, {value} or {error}. Arguments: the client's module, the
// file package.json of the packages from npm.
import {createRequire} from 'node:module';
import {createInterface} from 'node:readline';
import {run} from './helpers.mjs';

const [client, packages] = process.argv.slice(2);
globalThis.WebSocket ??= createRequire(packages)('ws');
globalThis.taskbeam = await import(client);
for await (const line of createInterface({input: process.stdin})) {
    const {script, args} = JSON.parse(line);
    console.log(JSON.stringify(await run(script, args)));
}
process.exit(0);
