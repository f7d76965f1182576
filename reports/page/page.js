// What a person does with the page: point, drag, type, print.
const tip = $('tip');
const timeAt = (v, e) => { const r = v.c.getBoundingClientRect(); return x0 + (e.clientX - r.left - left) / (v.w - left) * (x1 - x0); };

// hit finds the row nearest to a pointer, or -1. What proves a finding wins where it is close.
function hit(v, e) {
  const r = v.c.getBoundingClientRect(), t = timeAt(v, e), y = e.clientY - r.top, px = (x1 - x0) / (v.w - left), scatter = v === charts.scatter;
  let best = -1, near = scatter ? 100 : 80;
  for (let i = from(t - (scatter ? 10 * px : longest)), end = from(t + 10 * px); i < end; i++) {
    if (hidden && hidden[i] || scatter && CLASS[i] > INFO) continue;
    const dx = scatter ? (T[i] - t) / px : t < T[i] ? (T[i] - t) / px : t > T[i] + D[i] ? (t - T[i] - D[i]) / px : 0;
    const dy = scatter ? latencyY(D[i]) - y : Math.max(0, Math.abs(laneY(LANE[i]) - y) - laneHeight / 2) * 3;
    const d = dx * dx + dy * dy - (FINDING[i] ? 12 : 0) - (CLASS[i] >= APPLIED && CLASS[i] <= REFUSED ? 1 : 0);
    if (d < near) { near = d; best = i; }
  }
  return best;
}

function fillTip(lines) {
  tip.replaceChildren(...lines.map((text, n) => {
    const el = document.createElement(n ? 'div' : 'b');
    if (text.startsWith('proof of ')) el.className = 'bad-text';
    el.textContent = text;
    return el;
  }));
}

function showTip(i, x, y) {
  fillTip(describe(i));
  tip.hidden = false;
  const w = tip.offsetWidth, h = tip.offsetHeight;
  tip.style.left = Math.max(4, Math.min(innerWidth - w - 8, x + 14)) + 'px';
  tip.style.top = (y + 14 + h > innerHeight ? Math.max(4, y - h - 10) : y + 14) + 'px';
}

// select marks a row, says in text what it is, and brings it into the window.
function select(i, v) {
  selected = i;
  $('detail').textContent = i < 0 ? '' : describe(i).join(' · ');
  if (i >= 0 && (T[i] > x1 || T[i] + D[i] < x0)) { const w = (x1 - x0) / 2; show(T[i] - w, T[i] + w); }
  if (i >= 0 && v) {
    const r = v.c.getBoundingClientRect(), x = Math.max(left, X(v, T[i]));
    showTip(i, r.left + x, r.top + (v === charts.scatter && CLASS[i] <= INFO ? latencyY(D[i]) : laneY(LANE[i])));
  }
  redraw();
}

// step selects the next or previous row that the chart shows.
function step(v, by) {
  let i = selected >= 0 ? selected + by : by > 0 ? from(x0) : from(x1) - 1;
  while (i >= 0 && i < N && (hidden && hidden[i] || v === charts.scatter && CLASS[i] > INFO)) i += by;
  if (i >= 0 && i < N) select(i, v);
}

let current = 0;
function showFinding(n) {
  const f = M.findings[n - 1];
  if (!f) return;
  current = n;
  const a = f.t0 / 1e6, b = f.t1 / 1e6, margin = Math.max((b - a) * .2, 40);
  show(a - margin, b + margin);
  const row = proof.find(i => FINDING[i] === n);
  if (row !== undefined) select(row);
}
const turnFinding = by => { if (M.findings.length) showFinding((current - 1 + by + M.findings.length) % M.findings.length + 1); };

function keys(v, e) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const w = x1 - x0;
  const act = {
    ArrowLeft: () => show(x0 - w * .15, x1 - w * .15), ArrowRight: () => show(x0 + w * .15, x1 + w * .15),
    '+': () => zoom(.7), '=': () => zoom(.7), '-': () => zoom(1 / .7), f: () => show(0, END), '.': () => step(v, 1), ',': () => step(v, -1),
    '[': () => turnFinding(-1), ']': () => turnFinding(1), Escape: () => { tip.hidden = true; select(-1); },
  }[e.key];
  if (act) { e.preventDefault(); act(); }
}

function wire(v) {
  let drag = null;
  v.c.addEventListener('wheel', e => {
    if (e.deltaY > 0 && x1 - x0 >= END) return; // nothing to zoom out of: let the page scroll
    e.preventDefault();
    zoom(Math.exp(Math.max(-200, Math.min(200, e.deltaY)) * .0015), timeAt(v, e));
  }, { passive: false });
  v.c.addEventListener('pointerdown', e => { drag = { x: e.clientX, x0, x1, moved: false }; v.c.setPointerCapture(e.pointerId); });
  v.c.addEventListener('pointermove', e => {
    if (drag) {
      if (Math.abs(e.clientX - drag.x) > 3) { drag.moved = true; tip.hidden = true; }
      const dx = (e.clientX - drag.x) / (v.w - left) * (drag.x1 - drag.x0);
      if (drag.moved) show(drag.x0 - dx, drag.x1 - dx);
      return;
    }
    const i = hit(v, e);
    if (i < 0) tip.hidden = true; else showTip(i, e.clientX, e.clientY);
  });
  v.c.addEventListener('pointerup', e => {
    if (drag && !drag.moved) { const i = hit(v, e); select(i); if (i >= 0) showTip(i, e.clientX, e.clientY); }
    drag = null;
  });
  v.c.addEventListener('pointercancel', () => { drag = null; });
  v.c.addEventListener('pointerleave', () => { tip.hidden = true; });
  v.c.addEventListener('blur', () => { tip.hidden = true; });
  v.c.addEventListener('dblclick', () => show(0, END));
  v.c.addEventListener('keydown', e => keys(v, e));
}

function wireOverview() {
  const v = charts.overview;
  const move = e => {
    const r = v.c.getBoundingClientRect(), t = (e.clientX - r.left - left) / (v.w - left) * END, w = (x1 - x0) / 2;
    show(t - w, t + w);
  };
  v.c.addEventListener('pointerdown', e => { v.c.setPointerCapture(e.pointerId); move(e); v.c.onpointermove = move; });
  for (const end of ['pointerup', 'pointercancel']) v.c.addEventListener(end, () => { v.c.onpointermove = null; });
}

function filter() {
  const q = $('filter').value.trim().toLowerCase();
  hidden = null;
  if (q) {
    const lane = M.lanes.map(s => s.toLowerCase().includes(q)), name = M.names.map(s => s.toLowerCase().includes(q));
    hidden = new Uint8Array(N);
    for (let i = 0; i < N; i++) hidden[i] = !(lane[LANE[i]] || name[NAME[i]] || UNIT[i] !== NO_UNIT && unitName(UNIT[i]).toLowerCase().includes(q));
  }
  redraw();
}

async function copy(button) {
  const code = $(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  } catch { // a browser that gives files no clipboard: select it, one key is left to press
    getSelection().selectAllChildren(code);
    button.textContent = 'Selected';
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}

// hash follows a link into the run: #v2 is a finding, #t=22-31 a stretch in seconds.
function hash() {
  const finding = /^#v(\d+)$/.exec(location.hash), stretch = /^#t=([\d.]+)-([\d.]+)$/.exec(location.hash);
  if (finding) {
    const folded = document.querySelector(location.hash + ' > details');
    if (folded) folded.open = true;
    showFinding(+finding[1]);
  }
  if (stretch) show(stretch[1] * 1000, stretch[2] * 1000);
}

async function start() {
  for (const b of document.querySelectorAll('.copy')) { b.hidden = false; b.addEventListener('click', () => copy(b)); }
  let opened = [];
  addEventListener('beforeprint', () => { opened = [...document.querySelectorAll('details:not([open])')]; for (const d of opened) d.open = true; });
  addEventListener('afterprint', () => { for (const d of opened) d.open = false; });
  if (N && $('charts')) {
    await unpack();
    for (const el of document.querySelectorAll('.static')) el.hidden = true;
    $('charts').hidden = $('scatterbox').hidden = false;
    addChart('overview', 40); addChart('lanes', TOP + M.lanes.length * laneHeight + AXIS); addChart('scatter', 280);
    latencyRange(); resize();
    wire(charts.lanes); wire(charts.scatter); wireOverview();
    $('filter').addEventListener('input', filter);
    $('in').addEventListener('click', () => zoom(.6)); $('out').addEventListener('click', () => zoom(1 / .6)); $('fit').addEventListener('click', () => show(0, END));
    for (const [id, by] of [['prev', -1], ['next', 1]]) { $(id).hidden = !M.findings.length; $(id).addEventListener('click', () => turnFinding(by)); }
    for (const b of document.querySelectorAll('.go')) {
      b.hidden = false;
      b.addEventListener('click', () => {
        if (b.dataset.finding) showFinding(+b.dataset.finding);
        else { const a = b.dataset.from / 1e6, z = b.dataset.to / 1e6, margin = Math.max((z - a) * .3, 20); show(a - margin, z + margin); }
        $('timeline').scrollIntoView({ block: 'start' });
      });
    }
    addEventListener('keydown', e => { if (e.key === '/' && !/^(INPUT|TEXTAREA)$/.test(e.target.tagName)) { e.preventDefault(); $('filter').focus(); } });
    addEventListener('hashchange', hash);
    addEventListener('resize', () => { resize(); redraw(); });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { resize(); redraw(); });
    hash(); draw();
  }
  window.__ready = performance.now();
}
start().catch(err => {
  const el = $('chart-error');
  if (el) { el.hidden = false; el.textContent = 'The interactive charts could not be drawn: ' + err.message; }
  for (const s of document.querySelectorAll('.static')) s.hidden = false;
  window.__ready = performance.now();
  console.error(err);
});
