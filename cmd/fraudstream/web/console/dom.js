// Elements are made here and filled with text, never with markup: names of features and categories come from a model and
// from traffic, and anybody may have chosen them.

export const $ = (id) => document.getElementById(id);

// el makes an element; a property that begins with -- is one of its style's.
export function el(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('--')) e.style.setProperty(name, value);
    else if (name === 'class') e.className = value;
    else if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, '');
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children.filter((c) => c != null));
  return e;
}

// say sets a text, if it is another one: what has not changed is left alone.
export function say(id, text) {
  const e = $(id);
  if (e.textContent !== text) e.textContent = text;
}

export const show = (id, shown) => { $(id).hidden = !shown; };

// fill puts children into an element, unless they were made of the same data as last time.
const made = new Map();
export function fill(id, data, children) {
  const key = JSON.stringify(data);
  if (made.get(id) === key) return false;
  made.set(id, key);
  $(id).replaceChildren(...children());
  return true;
}

export const clock = (at) => new Date(at).toTimeString().slice(0, 8);
export const percent = (share) => share == null || Number.isNaN(share) ? '–' : (100 * share).toFixed(share > 0 && share < 0.001 ? 2 : share < 0.1 ? 1 : 0) + '\u00a0%';

// unbroken keeps each number and its percent sign in one line.
export const unbroken = (text) => text.replace(/(\d) %/g, '$1\u00a0%');

// broken is a name that may go on in a second line after its underscores, dots and slashes, and not in the middle of a word.
export function broken(name) {
  return el('span', {}, ...name.split(/(?<=[_.\-/])/).flatMap((part, i) => i ? [el('wbr'), part] : [part]));
}
