// Keeps a Markdown file equal to the list of tasks, whoever changes them: node examples/mirror.mjs TASKS.md
// REST, SOCKET, NAME and PASSWORD in the environment where they are not the demo's. Ctrl-C ends it.
import {writeFileSync} from 'node:fs';
import {Session, TaskbeamClient} from '../clients/js/taskbeam.js';

const {
  REST = 'http://localhost:8001/', SOCKET = 'ws://localhost:8000/ws/tasks/', NAME = 'ann', PASSWORD = 'correct-horse',
} = process.env;
const [file = 'TASKS.md'] = process.argv.slice(2);
globalThis.WebSocket ??= (await import('ws')).WebSocket; // npm install ws, in Node before 22

const client = new TaskbeamClient(SOCKET, await Session.login(REST, NAME, PASSWORD));

function write() {
  const lines = [...client.tasks.values()].map(({task, completed}) => `- [${completed ? 'x' : ' '}] ${task}\n`);
  writeFileSync(file, lines.join(''));
}

client.addEventListener('change', write);
client.addEventListener('state', () => {
  console.log(client.state, client.reason?.message ?? '');
  process.exitCode = client.state === 'ended' ? 1 : 0;
});
process.on('SIGINT', async () => {
  await client.close();
  process.exit(0);
});
await client.ready();
write();
