// A library's event source on /events/. Arguments: fetch or polyfill, the gateway's address, an access token.
// Prints each event as a line of JSON, and "open" at each connection, until it is killed.
'use strict';

const [library, address, token] = process.argv.slice(2);
const options = {headers: {Authorization: `Bearer ${token}`}};
const print = (value) => console.log(JSON.stringify(value));
const seen = (event) => print({event: event.event ?? event.type, id: event.id ?? event.lastEventId, data: event.data});

if (library === 'fetch') {
    globalThis.window = globalThis;
    globalThis.document = {hidden: false, addEventListener() {}, removeEventListener() {}};
    const {fetchEventSource} = require('@microsoft/fetch-event-source');
    fetchEventSource(`${address}/events/`, {
        ...options,
        onopen: async () => print('open'),
        onmessage: seen,
        onclose: () => { throw new Error('the server has ended it'); }, // so that it comes back
        onerror: () => 50, // milliseconds
    });
} else {
    const {EventSourcePolyfill} = require('event-source-polyfill');
    const source = new EventSourcePolyfill(`${address}/events/`, options);
    source.onopen = () => print('open');
    for (const name of ['message', 'ready', 'change', 'reset']) {
        source.addEventListener(name, seen);
    }
}
