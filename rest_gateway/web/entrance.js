// Registering and logging in.

import {Invalid, LoggedOut, RateLimited, Session} from './taskbeam.js';

const find = (id) => document.getElementById(id);
const TEXTS = {
  register: {
    title: 'Make an account',
    text: 'A task list that is live: open it in two windows, and watch.',
    enter: 'Make the account',
    other: ['Have one already?', 'Log in'],
    password: 'new-password',
  },
  login: {
    title: 'Log in',
    text: '',
    enter: 'Log in',
    other: ['New here?', 'Make an account'],
    password: 'current-password',
  },
};
const ENDED = 'Your log-in has ended. Log in again, and your list is here as it was.';

export class Entrance {
  #url;
  #mode;

  /** `enter(session, username)` is called once somebody is in. */
  constructor(url, enter) {
    this.#url = url;
    find('other').addEventListener('click', () => this.#setMode(this.#mode === 'login' ? 'register' : 'login'));
    find('entrance-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const username = find('username').value.trim(), password = find('password').value;
      if (!this.#check(username, password)) {
        return;
      }
      find('enter').disabled = true;
      const session = await this.#pass(username, password).catch((error) => this.#tell(error));
      find('enter').disabled = false;
      if (session) {
        find('password').value = '';
        find('entrance').hidden = true;
        enter(session, username);
      }
    });
  }

  /** `username`: who was here last, or ''; `ended`: their log-in is over. */
  show(username, ended = false) {
    find('entrance').hidden = false;
    this.#setMode(username ? 'login' : 'register', ended);
    find('username').value = username;
    find(username ? 'password' : 'username').focus();
  }

  #setMode(mode, ended = false) {
    const {title, text, enter, other, password} = TEXTS[mode];
    this.#mode = mode;
    find('entrance-title').textContent = title;
    find('entrance-text').textContent = ended ? ENDED : text;
    find('entrance-text').classList.toggle('banner', ended);
    find('enter').textContent = enter;
    [find('other-text').textContent, find('other').textContent] = other;
    find('password').autocomplete = password;
    this.#showProblems({});
  }

  #check(username, password) {
    const problems = {
      username: username ? '' : 'Who are you? Any name will do.',
      password: password ? '' : 'A password is needed.',
    };
    this.#showProblems(problems);
    return username && password;
  }

  async #pass(username, password) {
    if (this.#mode === 'register') {
      const response = await fetch(new URL('register/', this.#url), {
        method: 'POST',
        headers: {'Content-Type': 'application/json'},
        body: JSON.stringify({username, password}),
      });
      if (response.status === 400) {
        throw new Invalid(await response.json());
      }
      if (!response.ok) {
        throw new Error(response.status === 403 ? 'Registration is closed on this server.'
          : response.status === 429 ? 'Too many tries. Wait a minute.' : 'The server cannot do it now. Try again.');
      }
    }
    return Session.login(this.#url, username, password, {storage: localStorage});
  }

  #tell(error) {
    if (error instanceof Invalid) {
      const {username = [], password = [], ...others} = error.errors;
      this.#showProblems({username: username.join(' '), password: password.join(' '), entrance: Object.values(others).flat().join(' ')});
    } else {
      const text = error instanceof LoggedOut ? 'The username or the password is wrong.'
        : error instanceof RateLimited ? `Too many tries. Wait ${error.retryAfter} seconds.`
        : error.constructor === Error ? error.message : 'The server cannot be reached now. Try again.';
      this.#showProblems({entrance: text});
    }
  }

  #showProblems(problems) {
    for (const name of ['entrance', 'username', 'password']) {
      find(`${name}-problem`).textContent = problems[name] ?? '';
      if (name !== 'entrance') {
        find(name).setAttribute('aria-invalid', Boolean(problems[name]));
      }
    }
    const bad = ['username', 'password'].find((name) => problems[name]);
    bad && find(bad).focus();
  }
}
