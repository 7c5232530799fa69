// Messages at the foot of the page, with something to do about them or not.

const SECONDS = 10;
const MOST = 2; // at once
const box = document.getElementById('notices');
const template = document.getElementById('notice').content.firstElementChild;

/** Say it, to screen readers too. `label` and `does`: a button. It goes by itself, but not under the pointer or the focus. */
export function notify(message, label = '', does = null) {
  const notice = template.cloneNode(true);
  const [text, action, cross] = notice.children;
  text.textContent = message;
  action.textContent = label;
  action.hidden = !label;
  action.addEventListener('click', () => {
    notice.remove();
    does();
  });
  cross.addEventListener('click', () => notice.remove());
  box.append(notice);
  if (box.childElementCount > MOST) {
    box.firstElementChild.remove();
  }
  goLater(notice);
  return notice;
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
