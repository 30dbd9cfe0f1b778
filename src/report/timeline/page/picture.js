// The picture: lanes on one axis of time. What is drawn once a frame is bounded by its pixels, not by the events.

const AXIS = 26, STEP_ROW = 21, PAD = 8;

class Picture {
  /** `state` holds the view, what the filter lets through and what is selected; `on` is told of hover and clicks. */
  constructor(root, play, state, on) {
    this.play = play;
    this.state = state;
    this.on = on;
    this.map = root.querySelector(".map");
    this.box = root.querySelector(".canvases");
    [this.base, this.over] = this.box.querySelectorAll("canvas");
    this.lanes = this.plan(root.querySelector(".lanes"));
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.box);
    for (const query of ["(prefers-color-scheme: dark)", "print", `(resolution: ${devicePixelRatio}dppx)`]) {
      matchMedia(query).addEventListener("change", () => this.recolour());
    }
    this.recolour();
  }

  /** Gives each lane its place, and makes the names at the left. */
  plan(names) {
    const lanes = [];
    let top = AXIS;
    for (const branch of this.play.branches) {
      const steps = this.play.steps.map((step, index) => ({ step, index })).filter(({ step }) => step.branch === branch);
      const rows = 1 + Math.max(0, ...steps.map(({ step }) => step.depth));
      const height = Math.max(50, rows * STEP_ROW + 2 * PAD);
      const kind = branch === "steps" ? `${steps.length} played` : branch === "finally" ? "always played" : "branch";
      const words = branch.replace(/^.*\.parallel\[(\d+)\]$/, "branch $1");
      names.append(element("div", { class: "lane", title: branch, "data-lane": branch, style: { top: `${top}px`, height: `${height}px` } },
        element("strong", {}, words), element("small", {}, words === branch ? kind : branch)));
      lanes.push({ branch, steps, top, height });
      top += height;
    }
    this.play.daemons.forEach((daemon, index) => {
      const waits = Math.max(0, ...this.play.spans[index].map((span) => span.row + 1));
      const faults = this.play.faults.some((fault) => fault.daemon === index);
      const height = 60 + waits * 6 + (faults ? 15 : 0);
      const events = this.play.lanes[index].length;
      names.append(element("button", {
        class: "lane", type: "button", "data-lane": daemon.name, "aria-pressed": "true", title: "show or hide its events",
        style: { top: `${top}px`, height: `${height}px`, "--colour": `var(--d${index % 8})` },
        onclick: (event) => this.on.toggle(index, event.currentTarget),
      }, element("strong", {}, daemon.name), element("small", {}, `${daemon.kind}, ${events.toLocaleString("en")} events`)));
      lanes.push({ daemon: index, top, height, events: this.play.lanes[index], waits });
      top += height;
    });
    this.height = top + 1;
    this.box.style.height = names.style.height = `${this.height}px`;
    return lanes;
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    this.colour = new Proxy({}, { get: (known, name) => known[name] ??= style.getPropertyValue(`--${name}`).trim() });
    this.sans = style.getPropertyValue("--sans");
    this.widths = new Map();
    this.resize();
  }

  resize() {
    this.width = this.box.clientWidth;
    const scale = devicePixelRatio || 1;
    const fit = (canvas, width, height) => {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    };
    fit(this.base, this.width, this.height);
    fit(this.over, this.width, this.height);
    fit(this.map, this.map.clientWidth, this.map.clientHeight);
    this.mapped = null;
    this.draw();
  }

  x(time) { return (time - this.state.from) / (this.state.to - this.state.from) * this.width; }
  time(x) { return this.state.from + x / this.width * (this.state.to - this.state.from); }

  /** Draws at the next frame, however often it is asked for. */
  redraw() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.width) return;
    const c = this.base.getContext("2d");
    c.clearRect(0, 0, this.width, this.height);
    this.drawAxis(c);
    this.drawFailure(c);
    for (const lane of this.lanes) {
      if (lane.branch !== undefined) this.drawSteps(c, lane); else this.drawDaemon(c, lane);
    }
    for (const fault of this.play.faults) this.drawFault(c, fault);
    this.drawMap();
    this.drawOver();
  }

  drawAxis(c) {
    const span = this.state.to - this.state.from;
    const step = niceStep(span / Math.max(2, this.width / 110));
    c.font = `11px ${this.sans}`;
    c.textBaseline = "middle";
    c.textAlign = "left";
    c.lineWidth = 1;
    for (let at = Math.ceil(this.state.from / step) * step; at <= this.state.to; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      c.strokeStyle = this.colour.line;
      line(c, x, AXIS - 7, x, this.height);
      c.fillStyle = this.colour.muted;
      c.fillText(seconds(at, step), x + 4, AXIS / 2);
    }
    c.strokeStyle = this.colour.line;
    for (const lane of this.lanes) line(c, 0, lane.top + 0.5, this.width, lane.top + 0.5);
  }

  drawFailure(c) {
    const step = this.play.steps[this.play.failed];
    if (!step) return;
    const [from, to] = [this.x(step.from), this.x(step.to)];
    c.fillStyle = this.colour["red-soft"];
    c.fillRect(from, AXIS, Math.max(2, to - from), this.height);
    c.strokeStyle = this.colour.red;
    c.setLineDash([3, 3]);
    line(c, Math.round(to) + 0.5, AXIS, Math.round(to) + 0.5, this.height);
    c.setLineDash([]);
  }

  drawSteps(c, lane) {
    for (const { step } of lane.steps) {
      const { x, y, w, h } = this.barOf(step, lane);
      if (x > this.width || x + w < 0) continue;
      const failed = step.outcome === "failed";
      c.fillStyle = failed ? this.colour.red : this.colour.step;
      c.globalAlpha = failed ? 0.9 : step.outcome === "skipped" || step.block ? 0.17 : 0.36;
      rounded(c, x, y, w, h, 3);
      c.fill();
      c.globalAlpha = 1;
      const label = wording(step);
      this.label(c, label, x, w, y + h / 2, failed ? this.colour.panel : this.colour.ink);
    }
  }

  barOf(step, lane) {
    const x = this.x(step.from);
    return { x, y: lane.top + PAD + step.depth * STEP_ROW, w: Math.max(2, this.x(step.to) - x - 1), h: STEP_ROW - 3 };
  }

  /** Text inside a bar, cut to what is seen of it; nothing where there is no room. */
  label(c, text, x, w, y, colour) {
    const left = Math.max(x, 0) + 5, room = Math.min(x + w, this.width) - left - 4;
    if (room < 22) return;
    c.font = `11px ${this.sans}`;
    c.textBaseline = "middle";
    c.textAlign = "left";
    c.fillStyle = colour;
    c.fillText(fitted(c, harmless(text.slice(0, 200)), room), left, y + 0.5);
  }

  drawDaemon(c, lane) {
    const colour = this.colour[`d${lane.daemon % 8}`];
    const hidden = this.state.hidden.has(lane.daemon);
    const bar = lane.top + PAD;
    for (const life of this.play.daemons[lane.daemon].lives) {
      const x = this.x(life.from), end = this.x(life.to ?? this.play.end);
      if (x > this.width || end < 0) continue;
      c.globalAlpha = hidden ? 0.08 : 0.2;
      c.fillStyle = colour;
      rounded(c, x, bar, Math.max(3, end - x), 14, 3);
      c.fill();
      c.globalAlpha = hidden ? 0.4 : 1;
      c.fillRect(x, bar, 2, 14);
      const pid = life.pid === null ? "" : `  pid ${life.pid}`;
      this.label(c, `#${life.n}${pid}${life.policy ? "  restarted by its policy" : ""}`, x + 2, end - x - 10, bar + 7, this.colour.ink);
      if (life.ready !== null) disc(c, this.x(life.ready), bar + 14, 3.2, colour, this.colour.panel);
      if (life.to !== null) this.exit(c, life, end, bar + 7);
      c.globalAlpha = 1;
    }
    this.drawEvents(c, lane, colour, hidden);
    this.drawWaits(c, lane);
  }

  exit(c, life, x, y) {
    const hard = ["crash", "self", "host-lost"].includes(life.cause);
    c.strokeStyle = c.fillStyle = hard ? this.colour.amber : this.colour.muted;
    c.lineWidth = 1.8;
    if (["terminate", "signal"].includes(life.cause)) c.fillRect(x - 3.5, y - 3.5, 7, 7);
    else { line(c, x - 4, y - 4, x + 4, y + 4); line(c, x - 4, y + 4, x + 4, y - 4); }
    c.lineWidth = 1;
  }

  /** One tick for each event while there is room; a skyline of how many there are where there is none. */
  drawEvents(c, lane, colour, hidden) {
    const { play, state } = this;
    const [first, end] = this.visible(lane);
    const floor = lane.top + PAD + 42, tall = 22;
    const columns = Math.ceil(this.width / 2) + 1;
    const all = new Uint32Array(columns), wanted = new Uint32Array(columns), odd = new Uint8Array(columns);
    let most = 1;
    for (let at = first; at < end; at++) {
      const e = lane.events[at];
      if (play.kindOf[e] & LIFECYCLE) continue;
      const column = Math.max(0, Math.min(columns - 1, this.x(play.time[e]) >> 1));
      if (++all[column] > most) most = all[column];
      if (state.mask[e]) wanted[column]++;
      if (play.kindOf[e] & MALFORMED) odd[column] = 1;
    }
    const height = (count) => count === 0 ? 0 : most < 3 ? tall * 0.62 : tall * (0.34 + 0.66 * Math.log(count) / Math.log(most));
    const fill = (counts, style) => {
      c.fillStyle = style;
      for (let column = 0; column < columns; column++) {
        const h = height(counts[column]);
        if (h) c.fillRect(column * 2, floor - h, 2, h);
      }
    };
    fill(all, this.colour.dim);
    if (!hidden) fill(wanted, colour);
    c.fillStyle = this.colour.amber;
    for (let column = 0; column < columns; column++) {
      if (odd[column]) triangle(c, column * 2 + 1, floor + 1);
    }
    if (!hidden && end - first <= 400) this.names(c, lane, first, end, floor);
  }

  /** Names beside the ticks, where there is room up to the next. */
  names(c, lane, first, end, floor) {
    const { play } = this;
    c.font = `10.5px ${this.sans}`;
    c.textBaseline = "alphabetic";
    c.textAlign = "left";
    c.fillStyle = this.colour.muted;
    const ticks = [];
    for (let at = first; at < end; at++) {
      const e = lane.events[at];
      if (!(play.kindOf[e] & LIFECYCLE) && this.state.mask[e]) ticks.push(e);
    }
    ticks.forEach((e, at) => {
      const name = play.nameOf[e];
      const x = this.x(play.time[e]) + 5;
      const next = at + 1 < ticks.length ? this.x(play.time[ticks[at + 1]]) : this.width;
      if (next - x < 24) return;
      const text = play.shortNames[name].slice(0, 60);
      let width = this.widths.get(name);
      if (width === undefined) this.widths.set(name, width = c.measureText(text).width);
      if (width <= next - x - 6) c.fillText(text, x, floor - 4);
    });
  }

  drawWaits(c, lane) {
    for (const span of this.play.spans[lane.daemon]) {
      const { x, y, w } = this.waitBar(span, lane);
      if (x > this.width || x + w < 0) continue;
      c.strokeStyle = c.fillStyle = span.failed ? this.colour.red : this.colour.accent;
      c.globalAlpha = span.failed || span.mine ? 0.85 : 0.4;
      c.lineWidth = 1.6;
      if (span.never) c.setLineDash([4, 3]);
      line(c, x, y, x + w, y);
      c.setLineDash([]);
      line(c, x, y - 2.5, x, y + 2.5);
      if (span.mine) disc(c, x + w, y, 2.6, c.fillStyle);
      else if (span.failed) { line(c, x + w - 3, y - 3, x + w + 3, y + 3); line(c, x + w - 3, y + 3, x + w + 3, y - 3); }
      c.globalAlpha = 1;
      c.lineWidth = 1;
    }
  }

  waitBar(span, lane) {
    const x = this.x(span.from);
    return { x, y: lane.top + PAD + 48 + span.row * 6, w: this.x(span.to) - x };
  }

  drawFault(c, fault) {
    const lane = this.lanes.find((one) => one.daemon === fault.daemon && fault.daemon !== null);
    const [top, height] = lane ? [lane.top, lane.height] : [AXIS, this.height - AXIS];
    const x = this.x(fault.at);
    if (x < -20 || x > this.width + 20) return;
    c.strokeStyle = c.fillStyle = this.colour.amber;
    if (!fault.hit) c.setLineDash([2, 3]);
    line(c, Math.round(x) + 0.5, top + 1, Math.round(x) + 0.5, top + height);
    c.setLineDash([]);
    bolt(c, x, top + height - 15);
    if (fault.hit) c.fill(); else c.stroke();
    this.label(c, `#${fault.n} ${fault.kind}`, x + 3, 110, top + height - 9, this.colour.amber);
  }

  /** The whole run in small, with what is shown of it. */
  drawMap() {
    const c = this.map.getContext("2d"), { play } = this;
    const width = this.map.clientWidth, height = this.map.clientHeight;
    if (!width || !height) return;
    this.mapped ??= this.skyline(width);
    c.clearRect(0, 0, width, height);
    c.drawImage(this.mapped, 0, 0, width, height);
    const left = this.state.from / play.end * width, right = this.state.to / play.end * width;
    if (right - left < width - 1) {
      c.fillStyle = this.colour.bg;
      c.globalAlpha = 0.72;
      c.fillRect(0, 0, left, height);
      c.fillRect(right, 0, width - right, height);
      c.globalAlpha = 1;
      c.strokeStyle = this.colour.accent;
      c.strokeRect(left + 0.5, 0.5, Math.max(2, right - left - 1), height - 1);
    }
  }

  /** Drawn once; the map is drawn at every frame. */
  skyline(width) {
    const { play } = this, scale = devicePixelRatio || 1;
    const height = this.map.clientHeight;
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const c = canvas.getContext("2d");
    c.scale(scale, scale);
    const columns = Math.ceil(width / 2) + 1;
    const counts = play.daemons.map(() => new Uint32Array(columns));
    const sum = new Uint32Array(columns);
    for (let e = 0; e < play.count; e++) {
      const column = Math.min(columns - 1, play.time[e] / play.end * width >> 1);
      counts[play.daemonOf[e]][column]++;
      sum[column]++;
    }
    const most = Math.log(1 + sum.reduce((a, b) => Math.max(a, b), 1));
    for (let column = 0; column < columns; column++) {
      let y = height - 2;
      const tall = (height - 7) * Math.log(1 + sum[column]) / most;
      counts.forEach((of, daemon) => {
        if (!of[column]) return;
        const h = tall * of[column] / sum[column];
        c.fillStyle = this.colour[`d${daemon % 8}`];
        c.globalAlpha = 0.75;
        c.fillRect(column * 2, y - h, 2, h);
        y -= h;
      });
    }
    c.globalAlpha = 1;
    const failed = play.steps[play.failed];
    c.fillStyle = this.colour.red;
    if (failed) c.fillRect(failed.to / play.end * (width - 3), 0, 2, height);
    c.fillStyle = this.colour.amber;
    for (const fault of play.faults) c.fillRect(fault.at / play.end * width, 0, 1, 6);
    return canvas;
  }

  /** What changes with the pointer and the selection, above the rest. */
  drawOver() {
    const c = this.over.getContext("2d"), { play } = this, { chosen, pointer } = this.state;
    c.clearRect(0, 0, this.width, this.height);
    if (pointer !== null && !chosen?.dragging) {
      c.strokeStyle = this.colour.muted;
      c.globalAlpha = 0.4;
      line(c, Math.round(pointer) + 0.5, AXIS, Math.round(pointer) + 0.5, this.height);
      c.globalAlpha = 1;
      this.flag(c, pointer, this.colour.muted);
    }
    if (!chosen) return;
    if (chosen.kind === "event") this.markEvent(c, chosen.index, true);
    if (chosen.kind === "step") this.markStep(c, chosen.index);
    if (chosen.kind === "life") {
      const lane = this.laneOf(chosen.daemon), life = play.daemons[chosen.daemon].lives[chosen.index];
      const x = this.x(life.from);
      this.frameAround(c, x, lane.top + PAD, this.x(life.to ?? play.end) - x, 14);
    }
    if (chosen.kind === "fault") this.markTime(c, play.faults[chosen.index].at);
  }

  laneOf(daemon) { return this.lanes.find((lane) => lane.daemon === daemon); }

  markTime(c, time) {
    const x = Math.round(this.x(time)) + 0.5;
    c.strokeStyle = this.colour.accent;
    line(c, x, AXIS, x, this.height);
    this.flag(c, x, this.colour.accent);
  }

  flag(c, x, colour) {
    const text = seconds(this.time(x), (this.state.to - this.state.from) / this.width);
    c.font = `600 11px ${this.sans}`;
    c.textAlign = "left";
    const width = c.measureText(text).width + 10, left = Math.max(0, Math.min(this.width - width, x - width / 2));
    c.fillStyle = colour;
    rounded(c, left, 4, width, 17, 4);
    c.fill();
    c.fillStyle = this.colour.panel;
    c.textBaseline = "middle";
    c.fillText(text, left + 5, 13);
  }

  markEvent(c, e, flagged) {
    const { play } = this, lane = this.laneOf(play.daemonOf[e]);
    const x = this.x(play.time[e]);
    if (flagged) this.markTime(c, play.time[e]);
    const y = lane.top + PAD + (play.kindOf[e] & LIFECYCLE ? 7 : 31);
    disc(c, x, y, 5, this.colour.accent, this.colour.panel);
  }

  markStep(c, index) {
    const { play } = this, step = play.steps[index];
    const lane = this.lanes.find((one) => one.branch === step.branch);
    const bar = this.barOf(step, lane);
    this.frameAround(c, bar.x, bar.y, bar.w, bar.h);
    play.waits.forEach((wait, at) => {
      if (wait.step !== index) return;
      for (const one of this.lanes) {
        for (const span of one.daemon === undefined ? [] : play.spans[one.daemon]) {
          if (span.wait !== at) continue;
          const { x, y, w } = this.waitBar(span, one);
          c.strokeStyle = span.failed ? this.colour.red : this.colour.accent;
          c.globalAlpha = 0.22;
          c.lineWidth = 9;
          line(c, x, y, x + w, y);
          c.globalAlpha = 1;
          c.lineWidth = 1.4;
        }
      }
      if (wait.event_index < 0) return;
      const to = this.laneOf(wait.matched[0]), x = this.x(play.time[wait.event_index]);
      const [x0, y0, y1] = [bar.x + bar.w, bar.y + bar.h, to.top + PAD + 26];
      c.strokeStyle = this.colour.accent;
      c.beginPath();
      c.moveTo(x0, y0);
      c.bezierCurveTo(x0, (y0 + y1) / 2, x, (y0 + y1) / 2, x, y1);
      c.stroke();
      c.lineWidth = 1;
      this.markEvent(c, wait.event_index, false);
    });
  }

  frameAround(c, x, y, w, h) {
    c.strokeStyle = this.colour.accent;
    c.lineWidth = 2;
    rounded(c, x - 2, y - 2, Math.max(4, w + 4), h + 4, 5);
    c.stroke();
    c.lineWidth = 1;
  }

  /** The events of a lane that are in view: a range of its positions. */
  visible(lane) {
    const { time } = this.play;
    const slack = (this.state.to - this.state.from) / this.width * 4;
    const first = firstAt(lane.events.length, (at) => time[lane.events[at]] >= this.state.from - slack);
    const end = firstAt(lane.events.length, (at) => time[lane.events[at]] > this.state.to + slack);
    return [first, end];
  }
}

/** A step in a list of its own stands in braces: `[ { log: done } ]`. */
function wording(step) {
  return (step.text || step.verb).replace(/^\{\s*(.*?)\s*\}$/s, "$1");
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

function fitted(c, text, room) {
  if (c.measureText(text).width <= room) return text;
  const fits = firstAt(text.length, (length) => c.measureText(text.slice(0, length + 1) + "…").width > room);
  return fits < 2 ? "" : text.slice(0, fits) + "…";
}

function line(c, x0, y0, x1, y1) {
  c.beginPath();
  c.moveTo(x0, y0);
  c.lineTo(x1, y1);
  c.stroke();
}

function rounded(c, x, y, w, h, r) {
  c.beginPath();
  c.roundRect(x, y, w, h, Math.min(r, w / 2));
}

function disc(c, x, y, r, colour, ring) {
  c.beginPath();
  c.arc(x, y, r, 0, 7);
  c.fillStyle = colour;
  c.fill();
  if (ring) { c.strokeStyle = ring; c.lineWidth = 1.5; c.stroke(); c.lineWidth = 1; }
}

function triangle(c, x, y) {
  c.beginPath();
  c.moveTo(x, y);
  c.lineTo(x + 4, y + 6);
  c.lineTo(x - 4, y + 6);
  c.fill();
}

function bolt(c, x, y) {
  c.beginPath();
  for (const [dx, dy] of [[1, 0], [-4, 7], [-0.5, 7], [-1.5, 13], [4, 5], [0.5, 5]]) c.lineTo(x + dx, y + dy);
  c.closePath();
}
