// react-admin's data provider for Django REST Framework, told to log in, list, page, sort and filter. Arguments: the gateway's
// address, username, password. Prints one JSON object.
'use strict';

// Of ra-core the provider takes `fetchUtils` alone; all of it would want React.
const fetchUtils = require('ra-core/lib/dataProvider/fetch');
require.cache[require.resolve('ra-core')] = {exports: {fetchUtils}};
const items = new Map();
globalThis.localStorage = {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => items.set(name, value),
    removeItem: (name) => items.delete(name),
};
const {default: provider, jwtTokenAuthProvider, fetchJsonWithAuthJWTToken} = require('ra-data-django-rest-framework');

const LIST = '.'; // the provider asks for <address>/<resource>/, and the list is at the address itself

async function main(address, username, password) {
    await jwtTokenAuthProvider({obtainAuthTokenUrl: `${address}/login/`}).login({username, password});
    const admin = provider(address, fetchJsonWithAuthJWTToken);
    const list = async (page, perPage, field, order, filter = {}) => {
        const {data, total} = await admin.getList(LIST, {pagination: {page, perPage}, sort: {field, order}, filter});
        return {tasks: data.map((task) => task.task), total};
    };
    const seen = {
        first: await list(1, 2, 'id', 'ASC'),
        second: await list(2, 2, 'id', 'ASC'),
        last: await list(3, 2, 'id', 'ASC'),
        descending: await list(1, 2, 'id', 'DESC'),
        by_task: await list(1, 10, 'task', 'ASC'),
        searched: await list(1, 10, 'id', 'ASC', {q: 'milk'}),
        not_searched: await list(1, 10, 'id', 'ASC', {q: '', completed: ''}),
        filtered: await list(1, 10, 'id', 'ASC', {completed: true}),
        beyond: await list(9, 2, 'id', 'ASC').catch((error) => ({status: error.status, body: error.body})),
    };
    const {data: created} = await admin.create(LIST, {data: {task: 'From the admin'}});
    await admin.update('task', {id: created.uuid, data: {completed: true}});
    seen.changed = (await admin.getOne('task', {id: created.uuid})).data;
    await admin.delete('task', {id: created.uuid, previousData: created});
    seen.gone = await admin.getOne('task', {id: created.uuid}).catch((error) => ({status: error.status}));
    console.log(JSON.stringify(seen));
}

main(...process.argv.slice(2));
