// ---------------------------------------------------------------- the wire

let lastSeq = 0; // one count for all views of a model, so that answers sort

/** Sends requests one at a time and keeps only the newest waiting value of a path. */
class Wire {
  constructor(model, on) {
    this.model = model;
    this.on = on; // {frame, reply, quiet, lost, seen}
    this.queue = [];
    this.flight = null;
    this.receive = (content, buffers) => this.#receive(content, buffers);
    model.on("msg:custom", this.receive);
    this.timer = setInterval(() => this.#watch(), 1000);
  }

  set(path, value) {
    // Newer values replace waiting ones, but never jump over an undo in between.
    const barrier = this.queue.findLastIndex((q) => q.kind !== "set");
    const waiting = this.queue.find((q, i) => i > barrier && q.path === path);
    const at = Math.round(performance.now()); // when it was moved, however late it arrives
    if (waiting) Object.assign(waiting, { value, at });
    else this.queue.push({ kind: "set", path, value, at });
    this.#pump();
  }

  /** A request that a frame answers: undo, redo, reset, open, upload, hello. */
  ask(kind, extra = {}) { this.queue.push({ kind, ...extra }); this.#pump(); }

  /** A request with its own kind of answer; it does not wait in line. */
  tell(kind, extra = {}) { const seq = ++lastSeq; this.model.send({ kind, seq, ...extra }); return seq; }

  /** True while a newer value of this path is waiting or on its way. */
  owns(path) { return this.flight?.path === path || this.queue.some((q) => q.path === path); }

  /** Called when a frame is on screen: the next request may go. */
  painted(seq) {
    if (this.flight && seq >= this.flight.seq) this.flight = null;
    this.#pump();
  }

  close() { clearInterval(this.timer); this.model.off("msg:custom", this.receive); }

  #pump() {
    if (this.flight || !this.queue.length) return;
    const { bytes, ...request } = { ...this.queue.shift(), seq: ++lastSeq };
    if (request.kind === "set") request.seen = this.on.seen?.(); // what is out of sight can wait
    this.flight = { seq: request.seq, path: request.path, since: performance.now() };
    this.model.send(request, undefined, bytes ? [bytes] : []);
  }

  #receive(content, buffers) {
    this.on.lost(false);
    if (content.kind === "frame") {
      if (this.flight && content.seq >= this.flight.seq) this.flight.answered = true;
      this.on.frame(content);
    } else this.on.reply(content, buffers);
  }

  #watch() {
    const waited = this.flight && !this.flight.answered ? performance.now() - this.flight.since : 0;
    this.on.quiet(waited > QUIET_AFTER_MS);
    if (waited > LOST_AFTER_MS) this.on.lost(true);
  }
}
