// The run as columns. Everything below is data that somebody else chose: it reaches the page through textContent and canvas text
// only, never as markup.
const $ = id => document.getElementById(id);
const M = JSON.parse($('meta').textContent);
const NO_UNIT = 0xffffffff;
const OK = 0, FAIL = 1, INFO = 2, OPEN = 3, APPLIED = 4, DEDUPLICATED = 5, REFUSED = 6, AUDIT = 7, EXECUTION = 8, DOWN = 9, PAUSED = 10, PROCESS = 11, BITE = 12;

const N = M.n, END = M.end / 1e6; // instants and durations are milliseconds from here on
let T, D, UNIT, SEQ, LANE, NAME, FINDING, CLASS, ATTEMPT;
let longest = 0; // of the operations
const proof = []; // rows that prove a finding

async function unpack() {
  const packed = atob($('rows').textContent.trim()), zip = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) zip[i] = packed.charCodeAt(i);
  const buf = await new Response(new Blob([zip]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  const u32 = new Uint32Array(buf, 0, 4 * N), u16 = new Uint16Array(buf, 16 * N, 3 * N), u8 = new Uint8Array(buf, 22 * N, 2 * N);
  const ms = M.tick / 1e6;
  T = new Float64Array(N); D = new Float64Array(N); SEQ = new Uint32Array(N);
  UNIT = u32.subarray(2 * N, 3 * N); LANE = u16.subarray(0, N); NAME = u16.subarray(N, 2 * N); FINDING = u16.subarray(2 * N); CLASS = u8.subarray(0, N); ATTEMPT = u8.subarray(N);
  let t = 0, seq = 0;
  for (let i = 0; i < N; i++) {
    t += u32[i]; seq = (seq + u32[3 * N + i]) >>> 0;
    T[i] = t * ms; D[i] = u32[N + i] * ms; SEQ[i] = seq;
    if (D[i] > longest) longest = D[i];
    if (FINDING[i]) proof.push(i);
  }
}

// from finds the first row at or after an instant.
function from(t) {
  let a = 0, b = N;
  while (a < b) { const m = (a + b) >> 1; if (T[m] < t) a = m + 1; else b = m; }
  return a;
}

const unitName = u => u === NO_UNIT ? '' : !M.units ? M.prefix + (u + 1) : M.units[u] || 'unit ' + u;
const span = ms => ms < 1 ? (ms * 1000).toFixed(0) + ' µs' : ms < 1000 ? ms.toFixed(ms < 10 ? 2 : 1) + ' ms' : (ms / 1000).toFixed(2) + ' s';
const STATUS = ['ok', 'failed', 'unknown outcome', 'never answered'];

// describe says what a row is, as lines of text; the first is its title.
function describe(i) {
  const lines = [(M.names[NAME[i]] + ' ' + unitName(UNIT[i])).trim()];
  let who = M.lanes[LANE[i]];
  if (CLASS[i] <= OPEN) who += ' · ' + STATUS[CLASS[i]];
  if (ATTEMPT[i] > 1) who += ' · attempt ' + ATTEMPT[i];
  lines.push(who, 'at ' + (T[i] / 1000).toFixed(3) + ' s' + (D[i] > 0 ? ' · took ' + span(D[i]) : '') + ' · event ' + SEQ[i]);
  for (const f of M.faults) if (T[i] + D[i] >= f.t0 / 1e6 && T[i] <= f.t1 / 1e6) lines.push('↯ ' + f.label);
  if (FINDING[i]) lines.push('proof of finding ' + FINDING[i]);
  return lines;
}
