// The connection, as a person sees it: a dot and a word, what waits, and what has happened while it was away.

import {notify, say} from './notices.js';

const WORDS = {live: 'Live', connecting: 'Connecting', offline: 'Offline', ended: 'Stopped'};
const find = (id) => document.getElementById(id);
const badge = find('connection');
const word = find('word');
const banner = find('banner');
const [trouble, retry] = banner.children;

export class ConnectionView {
  #client;
  #epoch;
  #seq;
  #missed = 0; // changes of others that came with the catching up
  #replaced = false; // the history is another, as after a restore from a backup
  #away = false;
  #said = '';

  constructor(client) {
    this.#client = client;
    client.addEventListener('change', (event) => this.#onChange(event));
    client.addEventListener('state', () => this.show());
    retry.onclick = () => client.retry();
    this.show();
  }

  #onChange({taskIds, changes}) {
    const {state, epoch, seq} = this.#client;
    if (state !== 'live' && this.#epoch) {
      this.#replaced ||= epoch !== this.#epoch;
      this.#missed += taskIds ? changes.filter(({own}) => !own).length : seq - this.#seq;
    }
    [this.#epoch, this.#seq] = [epoch, seq];
    this.show();
  }

  show() {
    const {state} = this.#client;
    if (badge.dataset.state !== state) {
      badge.dataset.state = state;
      word.textContent = WORDS[state];
    }
    if (state !== 'connecting' && state !== this.#said) { // an outage is said once
      this.#said = state;
      say(WORDS[state]);
    }
    this.#away = state === 'offline' || (this.#away && state === 'connecting');
    const text = this.#trouble();
    if (!text && banner.contains(document.activeElement)) {
      find('new-task').focus();
    }
    banner.hidden = !text;
    retry.hidden = state === 'ended';
    document.body.classList.toggle('away', this.#away);
    trouble.textContent = text;
    if (state === 'live') {
      this.#tellMissed();
    }
  }

  #trouble() {
    const {state, reason, epoch, waiting} = this.#client;
    if (state === 'ended') {
      return `This page has stopped: ${reason.message}. Reload it to go on.`;
    }
    if (!this.#away) {
      return '';
    }
    return epoch === null
      ? 'The server cannot be reached. Your list comes as soon as it is back.'
      : `You are offline. What you change is kept, and sent when the server is back.${waitingText(waiting)}`;
  }

  #tellMissed() {
    if (this.#replaced) {
      notify('The list was read anew.');
    } else if (this.#missed > 0) {
      notify(this.#missed === 1 ? 'One change while you were away' : `${this.#missed.toLocaleString()} changes while you were away`);
    }
    this.#missed = 0;
    this.#replaced = false;
  }
}

const waitingText = (count) => !count ? '' : count === 1 ? ' One change waits.' : ` ${count.toLocaleString()} changes wait.`;
