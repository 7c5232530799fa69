// Draws a list with the hook. Arguments: the addresses, name and password. Prints each drawing as a line of JSON; ends when there
// are two tasks, and nothing listens any more.
import {createElement} from 'react';
import {act, create} from 'react-test-renderer';
import {Session, TaskbeamClient} from '../clients/js/taskbeam.js';
import {useTasks} from './useTasks.js';

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
globalThis.WebSocket ??= (await import('ws')).WebSocket;
const [rest, socket, name, password] = process.argv.slice(2);
const client = new TaskbeamClient(socket, await Session.login(rest, name, password));
let drawings = 0;

function List() {
  const {tasks, state} = useTasks(client);
  drawings += 1;
  return createElement('ul', {'data-state': state}, tasks.map(({uuid, task}) => createElement('li', {key: uuid}, task)));
}

const until = async (condition) => {
  for (const end = Date.now() + 30_000; !condition();) {
    if (Date.now() > end) throw new Error(`too late: ${condition}`);
    await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
  }
};
let root;
await act(() => {
  root = create(createElement(List));
});
const items = () => (root.toJSON().children ?? []).map(({children}) => children[0]);
const tell = () => console.log(JSON.stringify([root.toJSON().props['data-state'], items()]));

tell();
await until(() => root.toJSON().props['data-state'] === 'live' && items().length === 1);
tell();
await act(() => client.create({task: 'Made by the page'}));
tell();
await act(() => root.unmount());
const before = drawings;
await client.create({task: 'Nobody looks'});
console.log(JSON.stringify(drawings - before));
await client.close();
