// The three charts share one window of time. Each draws what is in it, from scratch, at most once a frame.
const TOP = 16, AXIS = 20, OVERVIEW_BINS = 300, DENSE = 20000;
let x0 = 0, x1 = END, left = 100, selected = -1, hidden = null, C = {};
const charts = {};
const laneHeight = Math.max(4, Math.min(18, Math.floor(460 / Math.max(1, M.lanes.length))));

function addChart(id, height) {
  const c = $(id);
  c.style.height = height + 'px';
  charts[id] = { c, h: height, w: 0, g: c.getContext('2d') };
}

// resize fits the canvases to the page and reads the theme's colours.
function resize() {
  const css = getComputedStyle(document.documentElement), color = n => css.getPropertyValue('--' + n).trim();
  C = { fg: color('fg'), mut: color('mut'), line: color('line'), bad: color('bad'), card: color('card'), bands: [] };
  C.class = ['ok', 'fail', 'info', 'open', 'applied', 'dedup', 'refused', 'audit', 'exec', 'down', 'paused', 'proc', 'bite'].map(color);
  for (let k = 0; k < 8; k++) C.bands.push(color('k' + k));
  const r = devicePixelRatio || 1;
  for (const v of Object.values(charts)) {
    v.w = v.c.clientWidth;
    v.c.width = Math.round(v.w * r); v.c.height = Math.round(v.h * r);
    v.g.setTransform(r, 0, 0, r, 0, 0);
    v.g.font = '11.5px system-ui, sans-serif';
  }
  const g = charts.lanes.g, most = charts.lanes.w < 560 ? 74 : 150;
  left = 44;
  for (const name of M.lanes) left = Math.min(most, Math.max(left, g.measureText(name).width + 14));
}

const X = (v, t) => left + (t - x0) / (x1 - x0) * (v.w - left);
const laneY = i => TOP + (i + .5) * laneHeight;

function nice(range, about) {
  const rough = range / Math.max(1, about), m = 10 ** Math.floor(Math.log10(rough)), q = rough / m;
  return (q > 5 ? 10 : q > 2 ? 5 : q > 1 ? 2 : 1) * m;
}

function fitText(g, s, width) {
  if (g.measureText(s).width <= width) return s;
  while (s.length > 1 && g.measureText(s + '…').width > width) s = s.slice(0, -1);
  return s + '…';
}

function clipTo(v, draw) {
  const g = v.g;
  g.save(); g.beginPath(); g.rect(left, 0, v.w - left, v.h - AXIS); g.clip();
  draw(g);
  g.restore(); g.globalAlpha = 1; g.lineWidth = 1;
}

// frame draws what is behind the rows: the faults' bands with their ids, the grid and the time axis.
function frame(v, top) {
  const g = v.g, bottom = v.h - AXIS;
  g.clearRect(0, 0, v.w, v.h);
  clipTo(v, () => {
    const ends = [];
    for (const f of M.faults) {
      const a = X(v, f.t0 / 1e6), b = Math.max(a + 2, X(v, f.t1 / 1e6));
      if (b < left || a > v.w) continue;
      g.fillStyle = C.bands[f.color]; g.globalAlpha = .17; g.fillRect(a, top, b - a, bottom - top);
      if (!top) continue;
      g.globalAlpha = .9; g.fillRect(a, top - 2, b - a, 2);
      const x = Math.max(left + 2, a);
      if (ends.length && x < ends[ends.length - 1]) continue; // no room for its id: the legend and the tooltip have it
      g.globalAlpha = 1; g.fillStyle = C.mut; g.textAlign = 'left';
      g.fillText(f.id, x, top - 5);
      ends.push(x + g.measureText(f.id).width + 6);
    }
    if (top) for (const f of M.faults) marks(v, f, top, bottom);
  });
  const step = nice(x1 - x0, (v.w - left) / 76), digits = Math.max(0, Math.min(6, Math.ceil(3 - Math.log10(step) - 1e-9)));
  for (let t = Math.ceil(x0 / step) * step; t <= x1 + 1e-9; t += step) {
    const x = X(v, t), label = (t / 1000).toFixed(digits) + ' s', half = g.measureText(label).width / 2;
    g.fillStyle = C.line; g.fillRect(Math.round(x), top, 1, bottom - top);
    g.fillStyle = C.mut; g.textAlign = 'center';
    if (x - half > left - 20 && x + half <= v.w) g.fillText(label, x, v.h - 5);
  }
  g.strokeStyle = C.line; g.strokeRect(left + .5, top + .5, v.w - left - 1, bottom - top - 1);
}

// marks draws the instants at which a fault touched an exchange: a diamond on its band, and a line down through the lanes.
function marks(v, f, top, bottom) {
  const g = v.g;
  let last = -9;
  for (const t of f.bites) {
    const x = X(v, t / 1e6);
    if (x < left || x > v.w || x < last + 1) continue;
    last = x;
    g.fillStyle = C.bands[f.color];
    g.globalAlpha = .7; g.fillRect(x - .5, top, 1, bottom - top);
    g.globalAlpha = 1; g.beginPath(); g.moveTo(x, top - 5); g.lineTo(x + 5, top); g.lineTo(x, top + 5); g.lineTo(x - 5, top); g.closePath(); g.fill();
    g.strokeStyle = C.fg; g.stroke();
  }
}

function drawLanes() {
  const v = charts.lanes, k = (v.w - left) / (x1 - x0), tall = laneHeight * .62;
  frame(v, TOP);
  const every = Math.ceil(11 / laneHeight);
  v.g.textAlign = 'right';
  M.lanes.forEach((name, i) => {
    v.g.fillStyle = C.line; v.g.fillRect(left, TOP + (i + 1) * laneHeight, v.w - left, 1);
    if (i % every) return;
    v.g.fillStyle = C.mut; v.g.fillText(fitText(v.g, name, left - 10), left - 8, laneY(i) + 4);
  });
  const i0 = from(x0 - longest), i1 = from(x1);
  clipTo(v, g => {
    g.globalAlpha = .8;
    bars(g, i0, i1, k, tall, [DOWN, PAUSED]);
    if (i1 - i0 > DENSE) shares(g, i0, i1, k, tall); else { g.globalAlpha = .75; bars(g, i0, i1, k, tall, [OK]); g.globalAlpha = .95; bars(g, i0, i1, k, tall, [OPEN, INFO, FAIL]); }
    ticks(g, i0, i1, k);
    g.globalAlpha = 1; g.fillStyle = C.bad;
    for (const i of proof) {
      const w = Math.max(4, D[i] * k), x = X(v, T[i]);
      if (x + w < left || x > v.w) continue;
      g.fillRect(x - (w > 4 ? 0 : 2), laneY(LANE[i]) - laneHeight * .46, w, laneHeight * .92);
    }
    if (selected >= 0) {
      g.strokeStyle = C.fg; g.lineWidth = 2;
      g.strokeRect(X(v, T[selected]) - 3, laneY(LANE[selected]) - laneHeight / 2, Math.max(4, D[selected] * k) + 6, laneHeight);
    }
  });
}

// bars draws rows as bars, one path for each class. Bars that fall into a pixel already drawn in their lane are left out.
function bars(g, i0, i1, k, tall, classes) {
  for (const cls of classes) {
    const last = new Float64Array(M.lanes.length).fill(-9);
    g.fillStyle = C.class[cls]; g.beginPath();
    for (let i = i0; i < i1; i++) {
      if (CLASS[i] !== cls || hidden && hidden[i]) continue;
      const x = left + (T[i] - x0) * k, w = Math.max(1.5, D[i] * k), lane = LANE[i];
      if (x + w < last[lane] + .7) continue;
      last[lane] = x + w;
      g.rect(x, laneY(lane) - tall / 2, w > 3 ? w - .6 : w, tall);
    }
    g.fill();
  }
}

// shares draws operations where there are many to a pixel: each column of a lane shows which share of them ended how. One failure
// among a hundred must not look like a wall of failures.
function shares(g, i0, i1, k, tall) {
  const px = 2, w = Math.ceil((charts.lanes.w - left) / px), n = M.lanes.length, sum = new Uint32Array(w * n * 3);
  for (let i = i0; i < i1; i++) {
    if (CLASS[i] > OPEN || hidden && hidden[i]) continue;
    const a = Math.max(0, ((T[i] - x0) * k / px) | 0), b = Math.min(w - 1, ((T[i] + D[i] - x0) * k / px) | 0), c = Math.min(CLASS[i], INFO);
    for (let x = a; x <= b; x++) sum[(LANE[i] * w + x) * 3 + c]++;
  }
  const share = c => (at, all) => sum[at + c] / all * tall;
  g.globalAlpha = .85;
  for (const c of [OK, FAIL, INFO]) {
    g.fillStyle = C.class[c]; g.beginPath();
    for (let lane = 0; lane < n; lane++) for (let x = 0; x < w; x++) {
      const at = (lane * w + x) * 3, all = sum[at] + sum[at + 1] + sum[at + 2];
      if (!sum[at + c]) continue;
      let y = laneY(lane) + tall / 2;
      for (let below = 0; below < c; below++) y -= share(below)(at, all);
      const h = share(c)(at, all);
      g.rect(left + x * px, y - h, px, h);
    }
    g.fill();
  }
}

// ticks draws what has no duration: effects as full strokes, audit events and executions as half ones below.
function ticks(g, i0, i1, k) {
  for (const cls of [EXECUTION, AUDIT, PROCESS, DEDUPLICATED, APPLIED, REFUSED, BITE]) {
    const last = new Float64Array(M.lanes.length).fill(-9), half = cls === AUDIT || cls === EXECUTION;
    g.fillStyle = C.class[cls]; g.globalAlpha = half ? .8 : .95; g.beginPath();
    for (let i = i0; i < i1; i++) {
      if (CLASS[i] !== cls || hidden && hidden[i]) continue;
      const x = left + (T[i] - x0) * k, lane = LANE[i];
      if (x < last[lane] + 1) continue;
      last[lane] = x;
      const h = laneHeight * (half ? .3 : .66);
      g.rect(x - 1, half ? laneY(lane) + laneHeight * .1 : laneY(lane) - h / 2, 2, h);
    }
    g.fill();
  }
}

let low = 0, high = 3; // of the latencies, as powers of ten of a millisecond
function latencyRange() {
  let a = Infinity, b = 0;
  for (let i = 0; i < N; i++) if (CLASS[i] <= INFO) { const d = Math.max(D[i], .001); if (d < a) a = d; if (d > b) b = d; }
  if (!b) return;
  low = Math.floor(Math.log10(a) * 2) / 2; high = Math.ceil(Math.log10(b) * 2 + .2) / 2;
  if (high - low < 1) { const mid = (high + low) / 2; low = Math.floor(mid * 2 - 1) / 2; high = low + 1.5; }
}

const latencyY = d => { const v = charts.scatter; return v.h - AXIS - 4 - (Math.log10(Math.max(.001, d)) - low) / (high - low) * (v.h - AXIS - 14); };

function drawScatter() {
  const v = charts.scatter, k = (v.w - left) / (x1 - x0), i0 = from(x0), i1 = from(x1);
  frame(v, 0);
  v.g.textAlign = 'right';
  for (let l = Math.ceil(low); l <= high; l++) {
    const y = latencyY(10 ** l), label = l < 0 ? 10 ** (l + 3) + ' µs' : l < 3 ? 10 ** l + ' ms' : 10 ** (l - 3) + ' s';
    v.g.fillStyle = C.line; v.g.fillRect(left, Math.round(y), v.w - left, 1);
    v.g.fillStyle = C.mut; v.g.fillText(label, left - 8, y + 4);
  }
  clipTo(v, g => {
    if (i1 - i0 > DENSE) density(g, i0, i1, k); else for (const cls of [OK, INFO, FAIL]) {
      const r = cls === OK ? 1.7 : 2.4;
      g.fillStyle = C.class[cls]; g.globalAlpha = cls !== OK ? .9 : i1 - i0 > 6000 ? .4 : .65; g.beginPath();
      for (let i = i0; i < i1; i++) if (CLASS[i] === cls && !(hidden && hidden[i])) g.rect(left + (T[i] - x0) * k - r, latencyY(D[i]) - r, 2 * r, 2 * r);
      g.fill();
    }
    g.globalAlpha = 1;
    for (const i of proof) if (CLASS[i] <= INFO) dot(g, X(v, T[i]), latencyY(D[i]), 5.5, C.bad);
    if (selected >= 0 && CLASS[selected] <= INFO) {
      g.strokeStyle = C.fg; g.lineWidth = 2; g.beginPath(); g.arc(X(v, T[selected]), latencyY(D[selected]), 7, 0, 7); g.stroke();
    }
  });
}

function dot(g, x, y, r, color) {
  g.beginPath(); g.arc(x, y, r, 0, 7); g.fillStyle = color; g.fill(); g.strokeStyle = C.card; g.stroke();
}

// density draws latencies where points would cover each other: the darker, the more; coloured by what most of a cell came to.
function density(g, i0, i1, k) {
  const v = charts.scatter, px = 3, w = Math.ceil((v.w - left) / px), h = Math.ceil(v.h / px), sum = [0, 1, 2].map(() => new Uint32Array(w * h));
  for (let i = i0; i < i1; i++) {
    if (CLASS[i] > INFO || hidden && hidden[i]) continue;
    const x = ((T[i] - x0) * k / px) | 0, y = (latencyY(D[i]) / px) | 0;
    if (x >= 0 && x < w && y >= 0 && y < h) sum[CLASS[i]][y * w + x]++;
  }
  let most = 1;
  for (let j = 0; j < w * h; j++) most = Math.max(most, sum[0][j] + sum[1][j] + sum[2][j]);
  const deep = Math.log(most + 1);
  for (let shade = 1; shade <= 5; shade++) for (const cls of [OK, FAIL, INFO]) {
    g.fillStyle = C.class[cls]; g.globalAlpha = .15 + shade * .16; g.beginPath();
    for (let j = 0; j < w * h; j++) {
      const all = sum[0][j] + sum[1][j] + sum[2][j];
      if (!all || Math.ceil(Math.log(all + 1) / deep * 5) !== shade) continue;
      const top = sum[0][j] * 2 >= all ? OK : sum[1][j] >= sum[2][j] ? FAIL : INFO;
      if (top === cls) g.rect(left + (j % w) * px, ((j / w) | 0) * px, px, px);
    }
    g.fill();
  }
}

let bins = null;
function drawOverview() {
  const v = charts.overview, g = v.g, w = v.w - left, h = v.h - 4;
  if (!bins) {
    bins = [0, 1, 2].map(() => new Uint32Array(OVERVIEW_BINS));
    for (let i = 0; i < N; i++) if (CLASS[i] <= OPEN) bins[Math.min(CLASS[i], INFO)][Math.min(OVERVIEW_BINS - 1, T[i] / END * OVERVIEW_BINS | 0)]++;
  }
  g.clearRect(0, 0, v.w, v.h);
  // The few fullest bins may be cut off: a burst of retries must not flatten everything else.
  const sums = [...bins[0].keys()].map(b => bins[0][b] + bins[1][b] + bins[2][b]).filter(n => n).sort((a, b) => a - b);
  const most = Math.max(1, (sums[Math.floor(sums.length * .97)] || 1) * 1.1);
  for (const f of M.faults) {
    g.globalAlpha = .3; g.fillStyle = C.bands[f.color];
    g.fillRect(left + f.t0 / 1e6 / END * w, 0, Math.max(2, (f.t1 - f.t0) / 1e6 / END * w), h);
  }
  for (let b = 0; b < OVERVIEW_BINS; b++) {
    let y = h;
    for (const cls of [OK, FAIL, INFO]) {
      const tall = Math.min(y, bins[cls][b] / most * (h - 14));
      if (!tall) continue;
      g.globalAlpha = cls === OK ? .45 : .9; g.fillStyle = cls === OK ? C.mut : C.class[cls];
      g.fillRect(left + b * w / OVERVIEW_BINS, y - tall, w / OVERVIEW_BINS - .4, tall);
      y -= tall;
    }
  }
  g.globalAlpha = 1;
  for (const i of proof) { g.fillStyle = C.bad; g.fillRect(left + T[i] / END * w - 1, 0, 2, h); }
  let free = 0;
  g.textAlign = 'left'; g.fillStyle = C.mut;
  for (const p of M.phases) { // where each phase begins, and its name where there is room
    const x = left + p.t0 / 1e6 / END * w;
    g.globalAlpha = .6; g.fillRect(Math.round(x), 0, 1, h); g.globalAlpha = 1;
    const wide = g.measureText(p.name).width;
    if (x >= free && (p.t1 - p.t0) / 1e6 / END * w > wide + 8) { g.fillText(p.name, x + 4, 11); free = x + wide + 8; }
  }
  g.strokeStyle = C.fg; g.lineWidth = 1.5;
  g.strokeRect(left + x0 / END * w + 1, 1, Math.max(3, (x1 - x0) / END * w - 2), h - 2);
  g.lineWidth = 1;
}

function draw() { drawOverview(); drawLanes(); drawScatter(); }
let frameAsked = 0;
function redraw() { if (!frameAsked) frameAsked = requestAnimationFrame(() => { frameAsked = 0; draw(); }); }

// show moves the window: never out of the run, never below ten microseconds.
function show(a, b) {
  const w = Math.min(END, Math.max(.01, b - a));
  x0 = Math.max(0, Math.min(END - w, a)); x1 = x0 + w;
  redraw();
}
function zoom(by, around = (x0 + x1) / 2) { show(around - (around - x0) * by, around + (x1 - around) * by); }
