// The drift section: a row for each feature, the strongest evidence first, and under it, on a click, where training and
// live stand.
import { $, broken, el, fill, percent, say, show, unbroken } from './dom.js';

const few = 15;             // rows at first; a model may have hundreds of features
const settled = 10_000;     // milliseconds that the order of the rows stays, unless an alarm opens or closes
const words = { alarm: 'alarm', suspicious: 'suspicious', calm: 'calm', waiting: 'waiting', off: 'not watched' };

const rows = new Map();     // by feature: the row, its detail and what changes in them
let order = [], ordered = 0, alarmed = '', all = false, latest = null;

$('drift-all').addEventListener('click', () => { all = !all; showDrift(latest); });

export function showDrift(drift) {
  latest = drift;
  const features = drift?.features ?? [];
  show('drift', features.length > 0);
  show('drift-empty', features.length === 0);
  show('drift-note', features.length > 0 && drift.guarantee !== ''); show('drift-arrow', features.length > 0);
  if (!features.length) {
    say('drift-empty', 'Not watched: this process was told not to compare its traffic with training.');
    show('drift-more', false); show('guarantee', false); show('open-alarms', false);
    return;
  }
  show('guarantee', true);
  say('guarantee', sentence(drift.guarantee) || 'The bundle has no training baseline, so there is nothing to compare the traffic with: export the model with its training data to have one.');
  openAlarms(features.filter((f) => f.state === 'alarm'));
  sort(features);
  const byName = new Map(features.map((f) => [f.name, f]));
  for (const name of order) update(rows.get(name) ?? make(name), byName.get(name));
}

const sentence = (text) => text && text[0].toUpperCase() + text.slice(1) + '.';

// sort keeps the order for a while, and while somebody is in the table: rows that jump under the pointer help nobody.
function sort(features) {
  const names = features.map((f) => f.name);
  const open = features.filter((f) => f.state === 'alarm').map((f) => f.name).sort().join();
  const shown = all ? names.length : Math.min(few, names.length);
  show('drift-more', names.length > few);
  say('drift-all', all ? 'Show the first ' + few : 'Show all ' + names.length + ' features');
  const busy = $('features').matches(':hover, :focus-within');
  if (order.length === shown && open === alarmed && (busy || Date.now() - ordered < settled)) return;
  order = names.slice(0, shown);
  ordered = Date.now();
  alarmed = open;
  const body = $('features'), focus = document.activeElement;
  for (const name of order) make(name);
  for (const name of [...rows.keys()]) if (!names.includes(name)) rows.delete(name);
  body.replaceChildren(...order.flatMap((name) => [rows.get(name).row, rows.get(name).detail]));
  if (body.contains(focus)) focus.focus();
}

function make(name) {
  if (rows.has(name)) return rows.get(name);
  const id = 'feature-' + rows.size;
  const r = { open: false };
  r.button = el('button', { type: 'button', class: 'feature', 'aria-expanded': 'false', 'aria-controls': id, onclick: () => toggle(r) }, broken(name));
  r.clock = el('small', { class: 'aside', hidden: true }, 'by the hour');
  r.chip = el('span', { class: 'chip' });
  r.kind = el('small', { class: 'aside' });
  r.fill = el('i');
  r.meter = el('div', { class: 'meter', role: 'img' }, r.fill);
  for (const cell of ['evidence', 'changed', 'tolerated', 'psi']) r[cell] = el('td', { class: 'number' + (cell === 'psi' ? '' : ' narrow') });
  r.row = el('tr', {}, el('td', {}, r.button, ' ', r.clock), el('td', {}, r.chip, ' ', r.kind), el('td', {}, r.meter), r.evidence, r.changed, r.tolerated, r.psi);
  r.inside = el('td', { colspan: 7 });
  r.detail = el('tr', { class: 'detail', id, hidden: true }, r.inside);
  rows.set(name, r);
  return r;
}

function toggle(r) {
  r.open = !r.open;
  r.button.setAttribute('aria-expanded', String(r.open));
  r.detail.hidden = !r.open;
  if (r.open) detail(r);
}

const set = (e, text) => { if (e.textContent !== text) e.textContent = text; };

function update(r, f) {
  r.feature = f;
  set(r.chip, words[f.state]);
  r.chip.className = 'chip ' + f.state;
  r.meter.className = 'meter ' + f.state;
  const near = f.evidence == null || !f.threshold ? 0 : Math.max(0, f.evidence / f.threshold);
  r.fill.style.setProperty('--share', Math.min(100, 50 * near).toFixed(1) + '%');
  r.meter.setAttribute('aria-label', f.evidence == null ? 'no evidence yet' : Math.round(100 * near) + ' % of what an alarm needs');
  set(r.evidence, f.evidence == null ? '–' : Math.max(0, f.evidence).toFixed(1) + ' of ' + f.threshold.toFixed(1));
  r.clock.hidden = !(f.seasonal && f.state === 'calm' && (f.psi >= 0.1 || f.judged > f.epsilon)); // or the figures would seem to contradict the verdict
  set(r.kind, f.state === 'alarm' || f.state === 'suspicious' || f.kind === 'quality' ? f.kind : '');
  set(r.changed, percent(f.judged));
  set(r.tolerated, percent(f.epsilon));
  set(r.psi, f.psi == null || !f.recent ? '–' : f.psi.toFixed(3)); // of the first events it is chance alone
  if (r.open) detail(r);
}

// detail shows the cells: training above, live below. Of a feature with many categories, the largest are shown.
function detail(r) {
  const f = r.feature, text = JSON.stringify(f);
  if (r.shown === text) return;
  r.shown = text;
  const m = f.cells.reduce((n, c) => n + c.baseline, 0), n = f.cells.reduce((n, c) => n + c.live, 0);
  if (!m) {
    r.inside.replaceChildren(el('p', { class: 'soft' }, 'The bundle has no baseline of it.'));
    return;
  }
  let cells = f.cells.map((c) => ({ words: c.words, p: c.baseline / m, q: n ? c.live / n : 0 }));
  const kept = 12, folded = f.categorical && cells.length > kept + 1;
  if (folded) cells = cells.sort((a, b) => Math.max(b.p, b.q) - Math.max(a.p, a.q)).slice(0, kept);
  const top = Math.max(...cells.map((c) => Math.max(c.p, c.q)));
  const bar = (name, share) => el('i', { class: name, '--share': (100 * share / top).toFixed(1) + '%' });
  const grid = el('div', { class: 'cells' }, ...cells.flatMap((c) => [
    el('span', { class: 'words' }, c.words), el('span', {}, bar('t', c.p), bar('l', c.q)),
    el('span', { class: 'number' }, el('span', { class: 'soft' }, percent(c.p) + ' → '), percent(c.q)),
  ]));
  const names = ['in order', 'missing', 'out of range', 'never seen'];
  const total = f.quality.reduce((a, b) => a + b, 0), base = f.quality_baseline.reduce((a, b) => a + b, 0);
  const quality = f.score || !total ? null : el('p', { class: 'soft' }, 'Quality since the start: ' +
    names.map((q, i) => `${q} ${base ? percent(f.quality_baseline[i] / base) + ' → ' : ''}${percent(f.quality[i] / total)}`).join(', ') + '.');
  r.inside.replaceChildren(
    f.alarm ? el('p', { class: 'alarm' }, unbroken(f.alarm)) : '',
    el('p', { class: 'note' }, el('span', { class: 'key training' }, 'training '), ' ', el('span', { class: 'key square' }, f.recent ? 'live, the recent events' : 'live, all since the start'),
      f.psi_cut == null ? '' : '; by chance, PSI is at most ' + f.psi_cut.toFixed(3) + ' in 999 of 1,000 cases'),
    f.seasonal ? el('p', { class: 'soft' }, `It follows the clock: alarms compare it with the same hour of the week; the bars and PSI with all of training, from where ${percent(f.tv)} have changed cell.`) : '',
    grid, folded ? el('p', { class: 'soft' }, (f.cells.length - kept) + ' smaller ones are not shown.') : '', quality ?? '',
  );
}

function openAlarms(features) {
  show('open-alarms', features.length > 0);
  fill('open-alarms', features.map((f) => [f.name, f.alarm, f.page]), () => features.map((f) => el('li', {},
    el('span', { class: 'chip ' + (f.page ? 'alarm' : 'suspicious') }, f.page ? 'page' : 'ticket'),
    el('span', {}, el('b', {}, broken(f.name)), ' ', el('small', {}, f.kind), ' ', f.alarm ? unbroken(f.alarm) : 'beyond its tolerance'),
  )));
}

export const alarmsOf = (drift) => (drift?.features ?? []).filter((f) => f.state === 'alarm');

