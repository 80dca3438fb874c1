// The page is told what to show once a second and shows it. Everything that is drawn comes from one message, so nothing
// on the page can contradict anything else on it.
import { $, broken, clock, el, fill, percent, say, show, unbroken } from './dom.js';
import { addPoints, count, fitCharts, lately, newest, seconds, showPoints, showScores } from './charts.js';
import { alarmsOf, showDrift } from './drift.js';

let paused = false;

$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').setAttribute('aria-pressed', String(paused));
  say('pause', paused ? 'Go on' : 'Pause');
});

// ---- what is shown

const sum = (counts) => Object.values(counts ?? {}).reduce((a, b) => a + b, 0);

function render(s) {
  const http = !s.stream;
  document.body.classList.toggle('http', http);
  say('model', s.model.name + ' ' + s.model.version);
  say('scope', s.scope);
  figures(s, http);
  showPoints(s.log);
  showScores(s.totals.score, s.model);
  happened(s);
  if (!paused) decisions(s.decisions, s.model);
  showDrift(s.drift);
  refused(s, http);
  partitions(s, http);
  facts(s);
  say('values', s.shows?.length ? ', and of an event’s values only those of ' + s.shows.join(', ') + ' are shown, masked' : ', and no value of an event is shown');
  const open = alarmsOf(s.drift).length;
  document.title = (open ? `(${open}) ` : '') + s.model.name + ' · fraudstream';
}

function figures(s, http) {
  const p = newest(), all = sum(s.totals.decisions), bad = sum(s.totals.refused), open = alarmsOf(s.drift);
  const title = http ? 'request to answer' : 'event to decision';
  say('latency-title', title);
  say('latency-caption', title);
  say('rate', count(lately()));
  say('rate-note', count(s.totals.events) + ' in all');
  say('p50', seconds(p?.p50));
  say('p99', 'median; p99 ' + seconds(p?.p99));
  const behind = Math.max(0, ...s.partitions.map((q) => q.behind));
  say('lag', http ? '–' : count(p?.lag ?? 0));
  say('lag-note', http ? 'no stream' : behind > 0.5 ? behind.toFixed(1) + ' s behind' : 'events waiting');
  say('decided', count(all));
  fill('verdicts', [all, s.totals.decisions], () => ['approve', 'review', 'block'].map((v) =>
    el('span', { class: v === 'block' ? 'block-verdict' : v }, `${v} ${percent(all ? (s.totals.decisions[v] ?? 0) / all : 0)}`)));
  say('refused-title', http ? 'refused events' : 'dead letters');
  say('refused', count(bad));
  say('refused-note', bad ? percent(bad / Math.max(1, s.totals.events)) + ' of the events' : 'none so far');
  say('alarms', s.drift ? String(open.length) : '–');
  const [first, ...others] = open.map((f) => f.name);
  say('alarms-note', !s.drift ? 'not watched' : !first ? 'as in training' : others.length ? `${first} and ${others.length} more` : first);
  $('alarms').classList.toggle('hot', open.length > 0);
  if ($('lag-figure').hidden !== http) {
    $('lag-figure').hidden = http;
    $('lag-figure').parentElement.classList.toggle('two', http);
    fitCharts();
  }
}

// happened shows the log, the newest first, beside the workers and what to try.
function happened(s) {
  const side = (s.workers?.length ?? 0) + (s.tries?.length ?? 0) > 0;
  show('side', side);
  $('story').classList.toggle('alone', !side);
  const lines = s.log.length ? s.log : [{ at: s.at, kind: 'note', text: 'Nothing yet. Alarms, and partitions that come, go or stand still, are told here.' }];
  fill('log', lines, () => lines.toReversed().map((l) => el('li', { class: 'k-' + l.kind }, el('time', {}, clock(l.at)), el('span', {}, unbroken(l.text)))));
  fill('workers', s.workers ?? [], () => s.workers?.length ? [workers(s.workers)] : []);
  fill('tries', s.tries ?? [], () => (s.tries ?? []).map((t) => el('div', { class: 'try' },
    el('div', { class: 'bar' }, el('small', {}, 'From a terminal on this machine:'), copier(t)), el('pre', {}, el('code', {}, ...words(t))))));
}

function workers(all) {
  const tone = { running: 'calm', killed: 'alarm', starting: 'quiet', draining: 'quiet', ended: 'quiet' };
  return el('table', {}, el('thead', {}, el('tr', {}, el('th', {}, 'process'), el('th', {}, 'state'), el('th', { class: 'number' }, 'partitions'), el('th', { class: 'number' }, 'events'))),
    el('tbody', {}, ...all.map((w) => el('tr', {}, el('td', {}, w.name), el('td', {}, el('span', { class: 'chip ' + tone[w.state] }, w.state)),
      el('td', { class: 'number' }, String(w.partitions)), el('td', { class: 'number' }, count(w.events))))));
}

// words are those of a command, each of which stays in one line if it can.
const words = (command) => command.split(/(?<= )/).map((word) => el('span', { class: 'word' }, word));

// copier copies, where the browser allows it: pages over plain HTTP from another machine may not.
function copier(text) {
  if (!navigator.clipboard) return null;
  return el('button', { type: 'button', onclick: (e) => navigator.clipboard.writeText(text).then(() => { e.target.textContent = 'Copied'; }, () => {}) }, 'Copy');
}

// gauge is how far a score fills its bar. Fraud is rare, so thresholds lie low; each part of the range has its share: four
// tenths up to review, three up to block, three above.
function gauge(score, { review, block }) {
  if (review == null || block == null || !(0 < review && review < block && block < 1)) return (100 * score).toFixed(1) + '%';
  const filled = score < review ? 40 * score / review : score < block ? 40 + 30 * (score - review) / (block - review) : 70 + 30 * (score - block) / (1 - block);
  return filled.toFixed(1) + '%';
}

function decisions(all, model) {
  show('decisions-empty', all.length === 0);
  say('decisions-note', all.some((d) => d.shown) ? 'a sample, ids masked, with the fields that may be shown' : 'a sample, ids masked');
  fill('decisions', all, () => all.map((d) => {
    const tone = d.decision === 'block' ? 'block-verdict' : d.decision;
    return el('tr', {}, el('td', { class: 'id', title: d.source }, d.id, fields(d.shown)),
      el('td', { class: tone }, el('span', { class: 'score' }, d.score.toFixed(4)), el('span', { class: 'gauge' }, el('i', { '--share': gauge(d.score, model) }))),
      el('td', {}, el('span', { class: 'chip ' + tone }, d.decision)), el('td', { class: 'narrow soft', title: d.reason }, d.reason || ''));
  }));
}

// fields are those of an event that the configuration lets people see.
function fields(shown) {
  const all = Object.entries(shown ?? {});
  return all.length ? el('small', { class: 'fields' }, all.map(([name, value]) => name + ' ' + value).join(' · ')) : null;
}

function refused(s, http) {
  say('refused-heading', http ? 'Refused events' : 'Dead letters');
  const codes = Object.entries(s.totals.refused ?? {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  const top = Math.max(1, ...codes.map(([, n]) => n));
  fill('codes', codes, () => codes.length ? [el('div', { class: 'codes' }, ...codes.flatMap(([code, n]) => [el('code', {}, code), el('span', {}, el('i', { '--share': (100 * n / top).toFixed(1) + '%' })), el('span', { class: 'number' }, count(n))]))] : []);
  show('refused-table', s.refused.length > 0);
  show('refused-empty', codes.length === 0);
  say('refused-empty', 'None. What cannot be scored is listed here by its code and its place, ' + (s.shows?.length ? 'with the fields that may be shown.' : 'without its contents.'));
  fill('letters', s.refused, () => s.refused.map((r) => el('tr', {}, el('td', { class: 'soft when' }, clock(r.at)), el('td', { class: 'id' }, broken(r.source), fields(r.shown)), el('td', {}, el('code', {}, r.code)), el('td', { class: 'narrow' }, r.field || ''))));
}

function partitions(s, http) {
  show('partition-table', s.partitions.length > 0);
  show('partitions-empty', s.partitions.length === 0);
  say('partitions-empty', http ? 'No stream: this process answers HTTP alone, and its requests are the live traffic.' : 'None yet: the group is being joined, or other processes have them all.');
  const named = s.partitions.some((p) => p.worker);
  for (const cell of document.querySelectorAll('.worker')) cell.hidden = !named;
  fill('partitions', s.partitions, () => s.partitions.map((p) => el('tr', { class: p.paused ? 'paused' : '' }, el('td', {}, String(p.number)),
    named ? el('td', { class: 'worker' }, p.worker ?? '') : null, el('td', { class: 'number' }, p.committed < 0 ? '–' : count(p.committed)),
    el('td', { class: 'number narrow' }, p.end < 0 ? '–' : count(p.end)), el('td', { class: 'number' }, count(p.lag)), el('td', {}, p.paused ? 'standing still: ' + p.paused : 'read'))));
}

function facts(s) {
  const m = s.model, lines = [['name', m.name], ['version', m.version], ['features', String(m.features)]];
  const t = [m.review != null ? 'review from ' + m.review : '', m.block != null ? 'block from ' + m.block : ''].filter(Boolean).join(', ');
  lines.push(['thresholds', t ? `${t} (${m.thresholds})` : 'none: as the model predicts']);
  if (s.stream) lines.push(['delivery', s.stream.delivery], ['group', s.stream.group]);
  if (m.signed_by) lines.push(['signed by', m.signed_by]);
  lines.push(['golden rows', m.golden, 'wide']);
  if (s.stream) lines.push(['topics', `${s.stream.input} → ${s.stream.output}, ${s.stream.dead_letter}`, 'wide']);
  lines.push(['SHA-256 of the model', m.sha256, 'wide']);
  fill('facts', lines, () => lines.map(([name, value, wide]) => el('div', { class: wide ?? '' }, el('dt', {}, name), el('dd', { class: name.startsWith('SHA') ? 'id' : '' }, value))));
}

// ---- what is read out: news alone, and not every second

let told = Date.now(), news = [];

function announce(log) {
  for (const l of log) if (l.at > told && l.kind !== 'note') { news.push(l.text); told = l.at; }
}
setInterval(() => { if (news.length) { say('announce', news.join('. ')); news = []; } }, 3000);

// ---- the connection. It is read with fetch and not with EventSource, which could not send a token.

const patience = 6000; // milliseconds of silence that a connection survives
let token = sessionStorage.getItem('token') ?? '', lastAt = 0, connected = false;

function lost(why, again) {
  if (connected || !lastAt) say('link', 'not connected');
  $('link').className = 'chip alarm';
  connected = false;
  document.body.classList.add('stale');
  const since = lastAt ? ' What you see is of ' + clock(lastAt) + '.' : '';
  $('banner').textContent = `Connection lost${why ? ': ' + why : ''}.${since} Trying again every ${again} s.`;
  show('banner', true);
}

function take(message) {
  const s = JSON.parse(message);
  addPoints(s.points ?? [], !connected);
  if (!connected) told = Math.max(told, s.at);
  connected = true;
  lastAt = s.at;
  show('banner', false); show('login', false);
  document.body.classList.remove('stale');
  say('link', 'live');
  $('link').className = 'chip calm';
  render(s);
  document.body.classList.remove('waiting');
  announce(s.log);
}

// attempt keeps a fault of this page apart from one of the connection.
function attempt(message) {
  try {
    take(message);
  } catch (fault) {
    console.error(fault);
  }
}

// follow reads one connection to its end. Messages are divided by an empty line.
async function follow() {
  const abort = new AbortController();
  let silence = setTimeout(() => abort.abort(), patience);
  try {
    const response = await fetch('console/events', { signal: abort.signal, cache: 'no-store', headers: token ? { Authorization: 'Bearer ' + token } : {} });
    if (response.status === 401) return 'token';
    if (!response.ok) return response.status === 503 ? 'too many readers, or the service is stopping' : 'the service answers ' + response.status;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      const { value, done } = await reader.read();
      if (done) return '';
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), patience);
      const messages = (rest + value).split('\n\n');
      rest = messages.pop();
      for (const m of messages) if (m.startsWith('data: ')) attempt(m.slice(6));
    }
  } catch {
    return '';
  } finally {
    clearTimeout(silence);
    abort.abort();
  }
}

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
let login = null;

$('login').addEventListener('submit', (e) => {
  e.preventDefault();
  token = $('token').value;
  sessionStorage.setItem('token', token);
  login?.();
});

async function watch() {
  for (;;) {
    const why = await follow();
    if (why === 'token') {
      show('login', true); show('banner', false);
      say('link', 'token needed');
      say('token-label', token ? 'That is not the token of this service.' : 'This service asks for its bearer token.');
      $('token').value = '';
      $('token').focus();
      await new Promise((done) => { login = done; });
      continue;
    }
    lost(why, 2);
    await wait(2000);
  }
}
watch();
