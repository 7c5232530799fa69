// A React hook: the tasks of a client, and its state. The component is drawn again whenever they change, wherever that was.
//
//   const client = new TaskbeamClient(url, session, {name: 'ann'});  // once, outside of the components
//
//   function List() {
//     const {tasks, state} = useTasks(client);
//     return <ul>{tasks.map((task) => <li key={task.uuid} onClick={() => client.delete(task.uuid)}>{task.task}</li>)}</ul>;
//   }
import {useMemo, useSyncExternalStore} from 'react';

export function useTasks(client) {
  const {subscribe, read} = useMemo(() => storeOf(client), [client]);
  return useSyncExternalStore(subscribe, read, read);
}

/** React compares what `read` returns: it is another object only after an event. */
function storeOf(client) {
  const take = () => ({tasks: [...client.preview.values()], state: client.state});
  let taken = take();

  function subscribe(draw) {
    const update = () => {
      taken = take();
      draw();
    };
    taken = take(); // there may have been events since the first drawing
    for (const type of ['change', 'state']) {
      client.addEventListener(type, update);
    }
    return () => {
      for (const type of ['change', 'state']) {
        client.removeEventListener(type, update);
      }
    };
  }

  return {subscribe, read: () => taken};
}
