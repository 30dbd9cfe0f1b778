// What the pointer does to the picture: hover, select, pan, zoom.

Object.assign(Picture.prototype, {
  listen() {
    const { box, map } = this;
    const at = (event) => { const place = box.getBoundingClientRect(); return [event.clientX - place.left, event.clientY - place.top]; };
    box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      box.setPointerCapture(event.pointerId);
      this.drag = { x: event.clientX, from: this.state.from, moved: false };
    });
    box.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (this.drag) {
        const moved = event.clientX - this.drag.x;
        if (Math.abs(moved) > 3) this.drag.moved = true;
        if (this.drag.moved) {
          box.classList.add("dragging");
          this.on.tip(null);
          const span = this.state.to - this.state.from, from = this.drag.from - moved / this.width * span;
          return this.on.view(from, from + span);
        }
      }
      this.state.pointer = x;
      const hit = this.hit(x, y);
      box.style.cursor = hit ? "pointer" : "";
      this.on.tip(hit, event.clientX, event.clientY);
      this.over.pending ??= requestAnimationFrame(() => { this.over.pending = undefined; this.drawOver(); });
    });
    const release = (event) => {
      box.classList.remove("dragging");
      const clicked = this.drag && !this.drag.moved && event.type === "pointerup";
      this.drag = null;
      if (clicked) this.on.choose(this.hit(...at(event)));
    };
    box.addEventListener("pointerup", release);
    box.addEventListener("pointercancel", release);
    box.addEventListener("pointerleave", () => { this.state.pointer = null; this.on.tip(null); this.drawOver(); });
    box.addEventListener("dblclick", (event) => this.on.zoom(event.shiftKey ? 2.5 : 0.4, this.time(at(event)[0])));
    box.addEventListener("wheel", (event) => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
      const notch = event.deltaMode === 1 ? 16 : 1;
      if (event.ctrlKey || event.metaKey || event.altKey) this.on.zoom(Math.exp(event.deltaY * notch * 0.0025), this.time(at(event)[0]), true);
      else if (sideways) this.on.pan(sideways * notch / this.width);
      else return;
      event.preventDefault();
    }, { passive: false });

    const centre = (event) => {
      const place = map.getBoundingClientRect();
      const time = (event.clientX - place.left) / place.width * this.play.end, half = (this.state.to - this.state.from) / 2;
      this.on.view(time - half, time + half);
    };
    map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); centre(event); });
    map.addEventListener("pointermove", (event) => { if (event.buttons & 1) centre(event); });
  },

  /** What stands there: the smaller thing before the larger. */
  hit(x, y) {
    const lane = this.lanes.find((one) => y >= one.top && y < one.top + one.height);
    if (!lane) return null;
    if (lane.branch !== undefined) return this.hitStep(lane, x, y);
    const fault = this.play.faults.findIndex((one) => one.daemon === lane.daemon && Math.abs(this.x(one.at) - x) < 6 && y > lane.top + lane.height - 18);
    if (fault >= 0) return { kind: "fault", index: fault };
    const below = y - lane.top - PAD;
    if (below >= 16 && below < 46) return this.hitEvent(lane, x);
    if (below < 16) return this.hitLife(lane, x);
    return this.hitWait(lane, x, y) ?? this.hitEvent(lane, x);
  },

  hitStep(lane, x, y) {
    const inside = ({ step }) => {
      const bar = this.barOf(step, lane);
      return x >= bar.x - 2 && x <= bar.x + bar.w + 2 && y >= bar.y - 1 && y <= bar.y + bar.h + 2;
    };
    const found = lane.steps.findLast((one) => inside(one) && x >= this.x(one.step.from)) ?? lane.steps.find(inside);
    return found ? { kind: "step", index: found.index } : null;
  },

  hitEvent(lane, x) {
    const { play, state } = this, { events } = lane;
    const near = 5 / this.width * (state.to - state.from), time = this.time(x);
    const first = firstAt(events.length, (at) => play.time[events[at]] >= time - near);
    const end = firstAt(events.length, (at) => play.time[events[at]] > time + near);
    let best = -1, others = 0;
    for (let at = first; at < end; at++) {
      const e = events[at];
      if (play.kindOf[e] & LIFECYCLE || !state.mask[e] || state.hidden.has(lane.daemon)) continue;
      others++;
      if (best < 0 || Math.abs(play.time[e] - time) < Math.abs(play.time[best] - time)) best = e;
    }
    return best < 0 ? null : { kind: "event", index: best, others: others - 1 };
  },

  hitLife(lane, x) {
    const { play } = this;
    const mark = lane.events.find((e) => play.kindOf[e] & LIFECYCLE && Math.abs(this.x(play.time[e]) - x) < 6);
    if (mark !== undefined) return { kind: "event", index: mark, others: 0 };
    const time = this.time(x);
    const index = play.daemons[lane.daemon].lives.findIndex((life) => life.from <= time && time <= (life.to ?? play.end));
    return index < 0 ? null : { kind: "life", daemon: lane.daemon, index };
  },

  hitWait(lane, x, y) {
    const span = this.play.spans[lane.daemon].find((one) => {
      const bar = this.waitBar(one, lane);
      return Math.abs(y - bar.y) <= 3.5 && x >= bar.x - 3 && x <= bar.x + bar.w + 4;
    });
    return span ? { kind: "step", index: this.play.waits[span.wait].step, wait: span.wait } : null;
  },
});
