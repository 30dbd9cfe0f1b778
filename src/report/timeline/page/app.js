// One play on its section of the page: filters, selection, keys. And the way between several.

const LEGEND = [
  ["life of a daemon", '<rect x="1" y="4" width="22" height="8" rx="2" fill="var(--d0)" opacity=".25"/><rect x="1" y="4" width="2" height="8" fill="var(--d0)"/>'],
  ["ready", '<circle cx="12" cy="8" r="3.4" fill="var(--d0)"/>'],
  ["ended as asked", '<rect x="8" y="4" width="8" height="8" fill="var(--muted)"/>'],
  ["killed", '<path d="M8 4l8 8m0-8l-8 8" stroke="var(--muted)" stroke-width="2"/>'],
  ["crashed, or by itself", '<path d="M8 4l8 8m0-8l-8 8" stroke="var(--amber)" stroke-width="2"/>'],
  ["event; the taller, the more", '<path d="M4 13V6M11 13V9M13 13V2M15 13V4M20 13V7" stroke="var(--d0)" stroke-width="2"/>'],
  ["no event: malformed line", '<path d="M12 4l5 8h-10z" fill="var(--amber)"/>'],
  ["wait, from its cursor to its match", '<path d="M2 8h18M2 5v6" stroke="var(--accent)" stroke-width="1.8"/><circle cx="20" cy="8" r="3" fill="var(--accent)"/>'],
  ["must not come", '<path d="M2 8h20" stroke="var(--accent)" stroke-width="1.8" stroke-dasharray="4 3"/>'],
  ["fault", '<path d="M13 1l-6 8h4l-1 6 6-9h-4z" fill="var(--amber)"/>'],
  ["failed", '<rect x="2" y="4" width="20" height="8" rx="2" fill="var(--red)"/>'],
];

class App {
  constructor(section, play) {
    this.section = section;
    this.play = play;
    this.state = { from: 0, to: play.end, mask: new Uint8Array(play.count).fill(1), hidden: new Set(), chosen: null, pointer: null };
    this.build();
    this.events = new Table(this.parts.events, ["time", "seq", "daemon", "event", "payload"], (e) => this.eventRow(e),
      (e) => this.choose({ kind: "event", index: e }, true), "No event is as wanted.");
    this.steps = new Table(this.parts.steps, ["", "time", "took", "where", "step"], (s) => this.stepRow(s),
      (s) => this.choose({ kind: "step", index: s }, true), "No step was played.");
    this.picture = new Picture(section, play, this.state, {
      tip: (...told) => this.tip(...told), choose: (hit) => this.choose(hit), toggle: (...told) => this.toggle(...told),
      view: (...told) => this.view(...told), zoom: (...told) => this.zoom(...told), pan: (part) => this.pan(part),
    });
    this.steps.show(play.steps.map((_, index) => index));
    this.refilter();
    this.begin();
  }

  build() {
    const input = (name, hint, more = {}) => element("input", { type: "search", placeholder: hint, "aria-label": hint, name, spellcheck: "false", autocomplete: "off", ...more });
    const button = (text, title, onclick) => element("button", { type: "button", title, "aria-label": title, onclick }, text);
    const names = `names-${this.section.id}`;
    const parts = this.parts = {
      name: input("name", "name: *switch*", { list: names }),
      where: input("where", "where: level >= 4 && hash.startsWith(\"BL\")"),
      error: element("p", { class: "error", role: "alert" }),
      count: element("span", { class: "count", "aria-live": "polite" }),
      events: element("div", { class: "scroll events", tabindex: "0", "aria-label": "events" }),
      steps: element("div", { class: "scroll steps", tabindex: "0", "aria-label": "steps", hidden: "" }),
      details: element("div", { class: "details", "aria-live": "polite" }),
      tip: element("div", { class: "tip", role: "tooltip", hidden: "" }),
    };
    parts.name.addEventListener("input", () => this.later());
    parts.where.addEventListener("input", () => this.later());
    const tab = (what, text) => element("button", { type: "button", role: "tab", "data-tab": what, "aria-selected": what === "events" ? "true" : "false", onclick: () => this.tab(what) }, text);
    const left = this.play.left_out ? element("p", { class: "hint" }, `${this.play.left_out.toLocaleString("en")} older events are left out of this page; \`tribunal events\` has them.`) : "";
    const body = this.section.querySelector(".body");
    body.replaceChildren(
      element("div", { class: "tools" },
        element("div", { class: "field" }, parts.name, element("datalist", { id: names }, ...this.play.names.slice(0, 400).map((name) => element("option", { value: name })))),
        element("div", { class: "field wide" }, parts.where, parts.error),
        parts.count,
        element("div", { class: "zoom" }, button("−", "zoom out", () => this.zoom(2)), button("+", "zoom in", () => this.zoom(0.5)), button("all", "show the whole run", () => this.view(0, this.play.end)))),
      left,
      element("div", { class: "frame" }, element("canvas", { class: "map", "aria-hidden": "true" }),
        element("div", { class: "picture" }, element("div", { class: "lanes" }),
          element("div", { class: "canvases", role: "img", tabindex: "0", "aria-label": "the run as a picture; the tables below say the same" }, element("canvas"), element("canvas")))),
      element("ul", { class: "legend" }, ...LEGEND.map(([text, drawing]) => {
        const item = element("li", {}, text);
        // The only markup made from text; it stands above.
        item.insertAdjacentHTML("afterbegin", `<svg width="24" height="16" fill="none" aria-hidden="true">${drawing}</svg>`);
        return item;
      })),
      element("div", { class: "below" },
        element("div", { class: "frame" }, element("div", { class: "tabs", role: "tablist" }, tab("events", "Events"), tab("steps", "Steps")), parts.events, parts.steps),
        element("div", { class: "frame" }, parts.details)),
      element("p", { class: "keys" }, ...[["+", "−", "zoom"], ["←", "→", "pan"], ["n", "p", "next, previous event"], ["0", "all"], ["f", "the failure"], ["/", "filter"], ["Esc", "nothing"]]
        .flatMap((keys) => [...keys.slice(0, -1).flatMap((key) => [element("kbd", {}, key), " "]), keys.at(-1), " \u2003 "]), "drag to pan, Ctrl + wheel or double click to zoom"),
      parts.tip);
    this.section.addEventListener("keydown", (event) => this.key(event));
    for (const link of this.section.querySelectorAll("[data-seq]")) {
      link.addEventListener("click", (event) => { event.preventDefault(); this.choose({ kind: "event", index: this.play.bySeq(Number(link.dataset.seq)) }, true); });
    }
  }

  /** What is selected at first: what failed, if something did. */
  begin() {
    if (this.play.failed >= 0) this.choose({ kind: "step", index: this.play.failed });
    else this.tell(null);
  }

  // The view.

  view(from, to) {
    const span = Math.min(this.play.end, Math.max(20, to - from));
    this.state.from = Math.max(0, Math.min(this.play.end - span, from));
    this.state.to = this.state.from + span;
    this.picture.redraw();
  }

  zoom(factor, around) {
    const { from, to, chosen } = this.state;
    const marked = this.timeOf(chosen);
    const fixed = around ?? (marked !== null && marked >= from && marked <= to ? marked : (from + to) / 2);
    const span = Math.min(this.play.end, Math.max(20, (to - from) * factor));
    const part = (fixed - from) / (to - from);
    this.view(fixed - span * part, fixed + span * (1 - part));
  }

  pan(part) {
    const by = (this.state.to - this.state.from) * part;
    this.view(this.state.from + by, this.state.to + by);
  }

  timeOf(chosen) {
    const { play } = this;
    if (!chosen) return null;
    if (chosen.kind === "event") return play.time[chosen.index];
    if (chosen.kind === "step") return play.steps[chosen.index].to;
    if (chosen.kind === "fault") return play.faults[chosen.index].at;
    return play.daemons[chosen.daemon].lives[chosen.index].from;
  }

  // The selection, in the picture, the tables and the details.

  choose(what, bring = false) {
    if (what && what.index < 0) what = null;
    this.state.chosen = what;
    const { from, to } = this.state, time = this.timeOf(what);
    if (bring && time !== null && (time < from || time > to)) this.view(time - (to - from) / 2, time + (to - from) / 2);
    if (what?.kind === "event") this.tab("events");
    if (what?.kind === "step") this.tab("steps");
    this.events.select(what?.kind === "event" ? what.index : -1);
    this.steps.select(what?.kind === "step" ? what.index : -1);
    this.tell(what);
    this.picture.drawOver();
  }

  tab(what) {
    for (const button of this.section.querySelectorAll("[data-tab]")) button.setAttribute("aria-selected", button.dataset.tab === what ? "true" : "false");
    for (const name of ["events", "steps"]) this.parts[name].hidden = name !== what;
    this[what].draw();
  }

  tell(what) {
    const told = what ? this.describe(what) : null;
    if (!told) {
      this.parts.details.replaceChildren(element("p", { class: "hint" }, "Select an event, a step or a life, here or in the picture."));
      return;
    }
    const rows = told.rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
    this.parts.details.replaceChildren(element("h2", {}, told.title),
      element("dl", {}, ...rows.flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, typeof value === "string" ? harmless(value) : value)])),
      ...(told.text === undefined ? [] : [element("pre", {}, told.text)]));
  }

  describe(what) {
    const { play } = this;
    if (what.kind === "event") return this.describeEvent(what.index);
    if (what.kind === "step") return this.describeStep(what.index);
    if (what.kind === "fault") {
      const fault = play.faults[what.index];
      return { title: `fault #${fault.n}: ${fault.kind}`, rows: [["time", seconds(fault.at)], ["target", fault.target], ["hit", fault.hit ? "yes" : "no: nothing was there to be hit"]] };
    }
    const daemon = play.daemons[what.daemon], life = daemon.lives[what.index];
    return {
      title: `${daemon.name}, incarnation ${life.n}`,
      rows: [["kind", daemon.kind], ["pid", life.pid === null ? "" : String(life.pid)], ["from", seconds(life.from)], ["ready", life.ready === null ? "never" : `${seconds(life.ready)}, after ${lasting(life.ready - life.from)}`],
        ["ended", life.to === null ? "not within the run" : `${seconds(life.to)}, after ${lasting(life.to - life.from)}: ${life.exit}, by ${life.cause}`], ["begun by", life.policy ? "its restart policy" : "a step"]],
    };
  }

  describeEvent(e) {
    const { play } = this, value = play.value(e), malformed = play.is(e, MALFORMED);
    let text = play.payload(e) ?? "";
    if (value !== undefined) text = typeof value === "string" ? JSON.stringify(value) : JSON.stringify(value, null, 2);
    return {
      title: malformed ? "a line that is no event" : harmless(play.name(e)),
      rows: [["why", malformed ? play.name(e) : ""], ["time", seconds(play.time[e], 1)], ["seq", String(play.seq[e])],
        ["daemon", `${play.daemons[play.daemonOf[e]].name}, incarnation ${play.lifeOf[e]}`],
        ["late", play.is(e, LATE) ? "written by what outlived its incarnation" : ""],
        ["cut", play.is(e, CUT) ? "the payload is too long for this page; events/*.jsonl has it whole" : ""]],
      text: harmless(text),
    };
  }

  describeStep(index) {
    const { play } = this, step = play.steps[index];
    const rows = [["step", step.path + (step.line ? `, line ${step.line}` : "")], ["outcome", step.outcome], ["time", `${seconds(step.from)}, took ${lasting(step.to - step.from)}`], ["because", step.detail]];
    play.waits.forEach((wait) => {
      if (wait.step !== index) return;
      const from = wait.sources.map(([daemon, seq]) => `${play.daemons[daemon].name} from seq ${seq}`).join(", ");
      const wanted = `${wait.event}${wait.where ? ` where ${wait.where}` : ""}${wait.count > 1 ? `, ${wait.count} times` : ""}`;
      rows.push([wait.never ? "must not come" : "waited for", wanted], ["of", from]);
      if (!wait.matched) return;
      const go = () => this.choose({ kind: "event", index: wait.event_index }, true);
      rows.push(["matched", wait.event_index < 0 ? `seq ${wait.matched[1]}`
        : element("button", { class: "link", type: "button", onclick: go }, `seq ${wait.matched[1]} at ${seconds(play.time[wait.event_index])}`)]);
    });
    return { title: harmless(wording(step)), rows };
  }

  tip(hit, x, y) {
    const { tip } = this.parts;
    tip.hidden = !hit;
    if (!hit) return;
    const told = this.describe(hit);
    const first = told.rows.filter(([key, value]) => typeof value === "string" && value && ["time", "daemon", "outcome", "because", "ended", "target", "why"].includes(key));
    const lines = first.map(([, value]) => element("span", {}, harmless(value)));
    if (hit.others) lines.push(element("span", {}, `and ${hit.others} more here; zoom in to tell them apart`));
    const payload = hit.kind === "event" ? [element("code", {}, excerpt(this.play.payload(hit.index) ?? "", 260))] : [];
    tip.replaceChildren(element("b", {}, excerpt(told.title, 160)), ...lines, ...payload);
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(innerWidth - width - 8, x + 14))}px`;
    tip.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
  }

  // Rows.

  eventRow(e) {
    const { play } = this, daemon = play.daemonOf[e];
    const cell = (text, kind) => element("span", kind ? { class: kind } : {}, text);
    const kind = play.is(e, LIFECYCLE) ? "ours" : play.is(e, MALFORMED) ? "bad" : "";
    return [cell(seconds(play.time[e]), "num"), cell(String(play.seq[e]), "num"),
      element("span", {}, element("i", { class: "dot", style: { "--colour": `var(--d${daemon % 8})` } }), `${play.daemons[daemon].name} ${play.lifeOf[e]}`),
      cell(excerpt(play.name(e), 120), kind), cell(excerpt(play.payload(e) ?? "", 300), "mono value")];
  }

  stepRow(index) {
    const step = this.play.steps[index], failed = step.outcome === "failed";
    const mark = element("span", { class: failed ? "bad" : "num", title: step.outcome }, { passed: "✓", failed: "✗", skipped: "–" }[step.outcome]);
    return [mark, element("span", { class: "num" }, seconds(step.from)), element("span", { class: "num" }, lasting(step.to - step.from)),
      element("span", { class: "value" }, step.path), element("span", { class: failed ? "mono bad" : "mono" }, excerpt(wording(step), 300))];
  }

  // The filter.

  toggle(daemon, button) {
    const { hidden } = this.state;
    if (!hidden.delete(daemon)) hidden.add(daemon);
    button.setAttribute("aria-pressed", hidden.has(daemon) ? "false" : "true");
    this.refilter();
  }

  later() {
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.refilter(), 120);
  }

  /** Looks at all events again; in slices, so that the page stays alive. */
  async refilter() {
    const turn = this.turn = (this.turn ?? 0) + 1;
    const { play, parts, state } = this;
    const where = parts.where.value.trim();
    let holds = null;
    parts.error.textContent = "";
    parts.where.setAttribute("aria-invalid", "false");
    if (where) {
      try { holds = predicate(where); } catch (error) {
        if (!(error instanceof Refused)) throw error;
        parts.error.textContent = `${parts.where.value}\n${" ".repeat(error.at + parts.where.value.search(/\S/))}^ ${error.message}`;
        parts.where.setAttribute("aria-invalid", "true");
        return;
      }
    }
    const named = nameTest(parts.name.value.trim());
    const names = play.names.map((name) => named(name));
    const mask = new Uint8Array(play.count);
    const order = [];
    let cut = 0, until = performance.now() + 12;
    for (let e = 0; e < play.count; e++) {
      if ((e & 255) === 0 && performance.now() > until) {
        parts.count.textContent = `looking … ${Math.round(100 * e / play.count)} %`;
        await new Promise((resume) => setTimeout(resume));
        if (turn !== this.turn) return;
        until = performance.now() + 12;
      }
      if (!names[play.nameOf[e]]) continue;
      if (holds) {
        if (play.kindOf[e] & (CUT | MALFORMED)) { cut += play.kindOf[e] & CUT ? 1 : 0; continue; }
        const event = { name: play.name(e), daemon: play.daemons[play.daemonOf[e]].name, seq: play.seq[e], incarnation: play.lifeOf[e] };
        if (holds(play.value(e), event) !== true) continue;
      }
      mask[e] = 1;
      if (!state.hidden.has(play.daemonOf[e])) order.push(e);
    }
    state.mask = mask;
    const all = play.count.toLocaleString("en"), some = order.length.toLocaleString("en");
    parts.count.textContent = (order.length === play.count ? `${all} events` : `${some} of ${all} events`)
      + (cut ? `; ${cut.toLocaleString("en")} are cut short here and were not judged` : "");
    this.events.show(order);
    this.picture.redraw();
  }

  // Keys.

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inField = event.target.matches("input");
    if (event.key === "Escape") {
      if (inField) event.target.blur();
      return this.choose(null);
    }
    if (inField) return;
    const deed = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), "−": () => this.zoom(2), 0: () => this.view(0, this.play.end),
      ArrowLeft: () => this.pan(-0.15), ArrowRight: () => this.pan(0.15),
      n: () => this.walk(1), p: () => this.walk(-1), f: () => this.begin(), "/": () => this.parts.name.focus(),
    }[event.key];
    if (!deed) return;
    event.preventDefault();
    deed();
  }

  /** To the next event that the filter lets through, or the one before. */
  walk(by) {
    const { order } = this.events, { chosen, from, to } = this.state;
    const now = chosen?.kind === "event" ? chosen.index : firstAt(this.play.count, (e) => this.play.seq[e] >= 0 && this.play.time[e] >= from) - 1;
    const at = by > 0 ? firstAt(order.length, (one) => order[one] > now) : firstAt(order.length, (one) => order[one] >= now) - 1;
    if (at >= 0 && at < order.length) this.choose({ kind: "event", index: order[at] }, true);
  }
}

/** As `tribunal events --event`: a pattern if it has `*` or `?`, else any part of the name. */
function nameTest(text) {
  if (!text) return () => true;
  if (!/[*?]/.test(text)) return (name) => name.toLowerCase().includes(text.toLowerCase());
  const body = text.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
  const pattern = new RegExp(`^${body}$`, "is");
  return (name) => pattern.test(name);
}

// The page: one play, or an overview and one play at a time.

const apps = new Map();

async function open(section) {
  if (apps.has(section)) return;
  const data = section.querySelector(".data");
  const body = section.querySelector(".body");
  if (!data) return;
  try {
    const play = await unpack(data.textContent.trim());
    apps.set(section, new App(section, play));
    section.dataset.ready = "true";
  } catch (error) {
    body.replaceChildren(element("p", { class: "loading" }, `The picture cannot be drawn: ${error.message}`));
    throw error;
  }
}

function route() {
  const plays = [...document.querySelectorAll(".play")];
  const overview = document.querySelector(".overview");
  const wanted = plays.find((play) => `#${play.id}` === location.hash) ?? (overview ? null : plays[0]);
  for (const play of plays) play.hidden = play !== wanted;
  if (overview) overview.hidden = wanted !== null;
  if (wanted) open(wanted);
  scrollTo(0, 0);
}

addEventListener("hashchange", route);
document.addEventListener("keydown", (event) => {
  const section = document.querySelector(".play:not([hidden])");
  if (section && !section.contains(event.target)) apps.get(section)?.key(event);
});
route();

/** For tests and the console: where something stands on the screen. */
globalThis.timeline = {
  app: () => apps.get(document.querySelector(".play:not([hidden])")),
  placeOf(seq) {
    const { play, picture } = this.app(), e = play.bySeq(seq), lane = picture.laneOf(play.daemonOf[e]);
    const box = picture.box.getBoundingClientRect();
    return { x: box.left + picture.x(play.time[e]), y: box.top + lane.top + PAD + 36 };
  },
  predicate,
};
