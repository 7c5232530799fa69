// Messages at the foot of the page, with something to do about them or not, and what screen readers say.

const SECONDS = 10;
const MOST = 2; // at once
const find = (id) => document.getElementById(id);
const box = find('notices'), spoken = find('spoken');
const template = find('notice').content.firstElementChild;

/** Only screen readers say it, once. */
export function say(text) {
  const said = document.createElement('p');
  said.textContent = text;
  spoken.append(said);
  setTimeout(() => said.remove(), 5000);
}

/** Show and say it. `label` and `does`: a button. It goes by itself, but not under the pointer or the focus. */
export function notify(message, label = '', does = null) {
  const notice = template.cloneNode(true);
  const [text, action, cross] = notice.children;
  text.textContent = message;
  action.textContent = label;
  action.hidden = !label;
  action.onclick = () => {
    does();
    close(notice);
  };
  cross.onclick = () => close(notice);
  box.append(notice);
  if (box.childElementCount > MOST) {
    box.firstElementChild.remove();
  }
  goLater(notice);
  say(message);
  return notice;
}

/** A focus that was in it goes to the row that Tab comes to. */
function close(notice) {
  notice.remove();
  if (document.activeElement === document.body) {
    (document.querySelector('#list [tabindex="0"]') ?? find('new-task')).focus();
  }
}

function goLater(notice) {
  setTimeout(() => notice.matches(':hover, :focus-within') ? goLater(notice) : notice.remove(), SECONDS * 1000);
}

export const clearNotices = () => box.replaceChildren();

/** A task's text within a sentence: not all of it, and its direction is its own. */
export function quoted(text) {
  const characters = [...text];
  return `“\u2068${characters.length > 60 ? `${characters.slice(0, 60).join('')}…` : text}\u2069”`;
}
