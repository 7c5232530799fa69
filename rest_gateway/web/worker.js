// Keeps the page's files, all of one version, so that it opens without the server too.

const CACHE = 'taskbeam-{version}';
const FILES = ['./', ...'{names}'.split(' ')];

self.addEventListener('install', (event) => {
  const fresh = FILES.map((name) => new Request(name, {cache: 'no-cache'}));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(caches.keys().then((names) =>
    Promise.all(names.filter((name) => name.startsWith('taskbeam-') && name !== CACHE).map((name) => caches.delete(name)))));
});

self.addEventListener('fetch', (event) => {
  if (!event.request.url.startsWith(registration.scope)) return; // the API's
  event.respondWith(caches.open(CACHE)
    .then((cache) => cache.match(event.request, {ignoreSearch: true, ignoreVary: true}))
    .then((kept) => kept ?? fetch(event.request)));
});
