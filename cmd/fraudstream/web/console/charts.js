// The charts: three over time and the histogram of the scores. uPlot draws on a canvas, so its colours are read from the
// style sheet, and the charts are made anew when the scheme changes.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const span = 300; // seconds that a chart is wide

const short = (v) => v >= 1e6 ? +(v / 1e6).toFixed(1) + 'M' : v >= 1e4 ? Math.round(v / 1e3) + 'k' : v >= 1e3 ? +(v / 1e3).toFixed(1) + 'k' : String(+v.toPrecision(3));

export const seconds = (s) => s == null ? '–' : s < 0.0095 ? (1e3 * s).toFixed(1) + ' ms' : s < 1 ? Math.round(1e3 * s) + ' ms' : s.toFixed(s < 10 ? 2 : 1) + ' s';
export const count = (n) => Math.round(n).toLocaleString('en');

const charts = []; // {host, make, plot, data}

// chart draws into the element with the id; make returns uPlot's options, by the colours of the moment.
function chart(id, make) {
  const host = document.getElementById(id);
  const c = { host, make, plot: null, data: null };
  c.draw = (data) => {
    c.data = data;
    if (!c.plot) {
      if (host.clientWidth === 0) return; // not shown
      c.plot = new uPlot({ width: host.clientWidth, height: host.clientHeight, ...make() }, data, host);
      return;
    }
    c.plot.setData(data);
  };
  c.renew = () => {
    c.plot?.destroy();
    c.plot = null;
    if (c.data) c.draw(c.data);
  };
  new ResizeObserver(() => {
    if (c.plot && host.clientWidth > 0) c.plot.setSize({ width: host.clientWidth, height: host.clientHeight });
    else if (c.data) c.draw(c.data);
  }).observe(host);
  charts.push(c);
  return c;
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.forEach((c) => c.renew()));

let marks = []; // {at, word} of the scenes

// drawMarks draws a line for each scene that is within the chart, with its word at the top.
function drawMarks(u) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour('soft');
  ctx.font = `${11 * devicePixelRatio}px system-ui, "DejaVu Sans", sans-serif`;
  ctx.setLineDash([4, 4]);
  ctx.textAlign = 'left';
  const free = [-Infinity, -Infinity], words = []; // in each of two rows of words
  for (const { at, word } of marks) {
    const x = u.valToPos(at, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(word).width;
    const left = Math.min(x + 4 * devicePixelRatio, bbox.left + bbox.width - width);
    const row = free.findIndex((f) => left >= f);
    if (row < 0) continue;
    words.push({ word, left, top: bbox.top + (10 + 13 * row) * devicePixelRatio });
    free[row] = left + width + 6 * devicePixelRatio;
  }
  ctx.setLineDash([]);
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.lineJoin = 'round';
  ctx.strokeStyle = colour('card');
  for (const { word, left, top } of words) { // with a rim, or the line of the next scene would go through it
    ctx.strokeText(word, left, top);
    ctx.fillText(word, left, top);
  }
  ctx.restore();
}

// powers are the lines of a logarithmic axis.
const powers = (u, axis, min, max) => {
  const all = [];
  for (let e = Math.ceil(Math.log10(min)); e <= Math.log10(max); e++) all.push(10 ** e);
  return all;
};

const axis = (more) => ({
  stroke: colour('soft'), font: '11px system-ui, "DejaVu Sans", sans-serif', grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, ...more,
});

// overTime are the options of a chart over time: a line for each series, and what stands under the pointer in words.
function overTime(series, values, output, y = {}, splits = undefined) {
  return () => ({
    cursor: { sync: { key: 'time' }, points: { size: 6 }, drag: { x: false, y: false }, y: false },
    legend: { show: false },
    scales: { x: { time: true, range: (u, min, max) => [Math.max(max - span, Math.min(min, max - 60)), max] }, y: { range: (u, min, max) => [0, Math.max(max * 1.15, 1)], ...y } },
    axes: [axis({ space: 80, size: 26, values: (u, at) => at.map((t) => new Date(t * 1e3).toTimeString().slice(0, at[1] - at[0] < 60 ? 8 : 5)) }), axis({ size: 46, space: 28, splits, values: (u, at) => at.map((v) => v == null ? '' : values(v)) })],
    series: [{}, ...series.map((name, i) => ({
      stroke: colour(name), width: 1.75, spanGaps: false, points: { show: false }, fill: i === 0 && series.length === 1 ? colour(name) + '22' : undefined,
    }))],
    hooks: {
      draw: [drawMarks],
      setCursor: [(u) => {
        const at = u.cursor.idx;
        document.getElementById(output).textContent = at == null ? '' :
          [new Date(u.data[0][at] * 1e3).toTimeString().slice(0, 8), ...u.data.slice(1).map((d) => d[at] == null ? '–' : values(d[at]))].join('  ');
      }],
    },
  });
}

const rate = chart('chart-rate', overTime(['live'], short, 'rate-at'));
const latency = chart('chart-latency', overTime(['live', 'other'], seconds, 'latency-at', {
  distr: 3, range: (u, min, max) => [Math.min(min ?? 1e-3, 1e-3), Math.max(max ?? 1e-1, 1e-1) * 1.5],
}, powers));
const lag = chart('chart-lag', overTime(['live'], short, 'lag-at', { range: (u, min, max) => [0, Math.max(max * 1.15, 10)] }));

let points = [];

// addPoints takes what is new; a first message brings everything.
export function addPoints(more, anew) {
  points = (anew ? [] : points).concat(more).slice(-span - 1);
}

// showPoints draws the three charts over time. Scenes are marked by the word before their colon.
export function showPoints(log) {
  marks = log.filter((l) => l.kind === 'scene').map((l) => ({ at: l.at / 1e3, word: l.text.split(':')[0] }));
  const at = points.map((p) => p.at / 1e3);
  rate.draw([at, points.map((p) => p.rate)]);
  latency.draw([at, points.map((p) => p.p50 || null), points.map((p) => p.p99 || null)]);
  lag.draw([at, points.map((p) => p.lag)]);
}

// lately is the mean rate of the last few points.
export function lately() {
  const last = points.slice(-3);
  return last.length ? last.reduce((sum, p) => sum + p.rate, 0) / last.length : 0;
}
export const newest = () => points[points.length - 1];

let bounds = [], thresholds = [];

// place is where a score stands on the axis of the buckets, which are equally wide.
function place(score) {
  let i = 0;
  while (i < bounds.length && score > bounds[i]) i++;
  const low = i ? bounds[i - 1] : 0, high = i < bounds.length ? bounds[i] : 1;
  return i - 0.5 + (score - low) / (high - low);
}

const score = chart('chart-score', () => ({
  cursor: { show: false }, legend: { show: false },
  scales: { x: { time: false, range: () => [-0.6, bounds.length + 0.6] }, y: { distr: 3, range: (u, min, max) => [0.5, Math.max(10, max || 1) * 2] } },
  axes: [
    axis({ size: 26, grid: { show: false }, splits: () => bounds.map((b, i) => i + 0.5), values: (u, at) => at.map((v, i) => bounds.length > 8 && i % 3 !== 1 ? '' : String(bounds[i])), space: 0 }),
    axis({ size: 46, splits: powers, values: (u, at) => at.map(short) }),
  ],
  series: [{}, { stroke: colour('live'), fill: colour('live') + 'bb', width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.86, 60] }) }],
  hooks: {
    draw: [(u) => {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.textAlign = 'left';
      ctx.font = `${11 * devicePixelRatio}px system-ui, "DejaVu Sans", sans-serif`;
      for (const { word, at, tone } of thresholds) {
        const x = u.valToPos(place(at), 'x', true);
        ctx.strokeStyle = ctx.fillStyle = colour(tone);
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.setLineDash([5, 4]);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        ctx.fillText(word, x + 4 * devicePixelRatio, bbox.top + 10 * devicePixelRatio);
      }
      ctx.restore();
    }],
  },
}));

// showScores draws the histogram; an empty bucket has no bar.
export function showScores(buckets, model) {
  bounds = buckets.bounds || [];
  thresholds = [];
  if (model.review != null) thresholds.push({ word: 'review', at: model.review, tone: 'warn' });
  if (model.block != null) thresholds.push({ word: 'block', at: model.block, tone: 'alarm' });
  if (bounds.length) score.draw([buckets.counts.map((n, i) => i), buckets.counts.map((n) => n || null)]);
}

// fitCharts is for when a chart has been shown or hidden.
export const fitCharts = () => charts.forEach((c) => c.data && !c.plot && c.draw(c.data));
