// The data of one play: unpacked once, then plain arrays. Times are microseconds since the run began.

const LIFECYCLE = 1, MALFORMED = 2, LATE = 4, CUT = 8;

async function unpack(base64) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const text = await new Response(plain).text();
  // Payloads first, a line each; what describes them stands in the last line.
  const end = text.lastIndexOf("\n");
  const told = JSON.parse(text.slice(end + 1));
  return new Play(told, end < 0 ? [] : text.slice(0, end).split("\n"));
}

class Play {
  constructor(told, payloads) {
    Object.assign(this, told);
    const { seq, t, d, i, n, k } = told.events;
    this.count = seq.length;
    this.payloads = payloads;
    this.seq = sums(seq);
    this.time = sums(t);
    this.daemonOf = Uint16Array.from(d);
    this.lifeOf = Uint32Array.from(i);
    this.nameOf = Uint32Array.from(n);
    this.kindOf = Uint8Array.from(k);
    this.shortNames = this.names.map((name) => harmless(name.replace(/\.v\d+$/, "")));
    this.lanes = this.daemons.map(() => []);
    for (let e = 0; e < this.count; e++) this.lanes[this.daemonOf[e]].push(e);
    this.lanes = this.lanes.map((lane) => {
      const events = Uint32Array.from(lane);
      const sorted = events.every((e, at) => at === 0 || this.time[events[at - 1]] <= this.time[e]);
      return sorted ? events : events.sort((a, b) => this.time[a] - this.time[b] || a - b);
    });
    this.end = Math.max(1, this.end, ...this.lanes.map((lane) => lane.length ? this.time[lane.at(-1)] : 0));
    this.failed = this.steps.findLastIndex((step) => step.path === this.failure?.step && step.outcome === "failed");
    this.placeWaits();
  }

  is(e, flag) { return (this.kindOf[e] & flag) !== 0; }
  name(e) { return this.names[this.nameOf[e]]; }
  payload(e) { return this.payloads[e]; }

  /** The payload as JSON; `undefined` if it is cut short or no JSON. */
  value(e) {
    if (this.kindOf[e] & (CUT | MALFORMED)) return undefined;
    try { return JSON.parse(this.payloads[e]); } catch { return undefined; }
  }

  /** The event with that sequence number, or -1. */
  bySeq(seq) {
    const at = firstAt(this.count, (e) => this.seq[e] >= seq);
    return at < this.count && this.seq[at] === seq ? at : -1;
  }

  /** The first event of that daemon from that sequence number on, or -1. */
  from(daemon, seq) {
    let e = firstAt(this.count, (at) => this.seq[at] >= seq);
    while (e < this.count && this.daemonOf[e] !== daemon) e++;
    return e < this.count ? e : -1;
  }

  // Each wait becomes one span for each of its daemons: from its cursor to its match, or to the end of its step.
  placeWaits() {
    this.spans = this.daemons.map(() => []);
    this.waits.forEach((wait, index) => {
      const matched = wait.matched ? this.bySeq(wait.matched[1]) : -1;
      wait.event_index = matched;
      for (const [daemon, seq] of wait.sources) {
        const cursor = this.from(daemon, seq);
        const from = cursor < 0 ? wait.from : Math.min(this.time[cursor], wait.to);
        const mine = matched >= 0 && wait.matched[0] === daemon;
        const to = mine ? Math.max(from, this.time[matched]) : Math.max(from, wait.to);
        const failed = this.steps[wait.step].outcome === "failed" && !mine;
        this.spans[daemon].push({ wait: index, from: Math.min(from, to), to, mine, failed, never: wait.never, row: 0 });
      }
    });
    for (const spans of this.spans) stack(spans, 4);
  }
}

/** Puts spans into rows so that few overlap; what has no room goes into the last row. */
function stack(spans, rows) {
  const ends = [];
  for (const span of spans.sort((a, b) => a.from - b.from)) {
    let row = ends.findIndex((end) => end <= span.from);
    if (row < 0) row = ends.length < rows ? ends.length : rows - 1;
    ends[row] = Math.max(ends[row] ?? 0, span.to);
    span.row = row;
  }
}

function sums(deltas) {
  const out = new Float64Array(deltas.length);
  let sum = 0;
  for (let at = 0; at < deltas.length; at++) out[at] = sum += deltas[at];
  return out;
}

/** The first of 0..count for which it holds, if it holds from there on; else count. */
function firstAt(count, holds) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle; else low = middle + 1;
  }
  return low;
}

/** Text of others, with what could move or hide text made visible. */
function harmless(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

function excerpt(text, length) {
  const plain = harmless(text.slice(0, length));
  return text.length > length ? plain + "…" : plain;
}

/** `+1.234 s`, as fine as `step` microseconds ask for. */
function seconds(us, step = 1000) {
  const digits = Math.min(6, Math.max(0, Math.ceil(6 - Math.log10(Math.max(1, step)))));
  return "+" + (us / 1e6).toFixed(digits) + " s";
}

function lasting(us) {
  if (us < 1000) return Math.round(us) + " µs";
  if (us < 1e6) return (us / 1e3).toPrecision(3) + " ms";
  return us < 1e8 ? (us / 1e6).toFixed(2) + " s" : Math.floor(us / 6e7) + " min " + Math.round(us / 1e6 % 60) + " s";
}

/** An element with attributes, handlers (`onclick`) and children; text is never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, text] of Object.entries(value)) made.style.setProperty(name, text);
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}
