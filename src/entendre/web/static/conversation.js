// The conversation as it is shown: one block per turn.

import { known, text } from "./text.js";
import { drawTimeline, element } from "./timeline.js";

const MOST_TURNS = 100;

export class Conversation {
  #log;
  #empty;
  #blocks = new Map();
  #replies = new Map();
  #current = null;
  #working = null;

  constructor(log, empty) {
    this.#log = log;
    this.#empty = empty;
  }

  #block(item) {
    const known = item && this.#blocks.get(item);
    if (known) return known;
    this.#empty.hidden = true;
    const block = { root: element("article", "turn"), said: null, answer: null };
    this.#log.append(block.root);
    this.#current = block;
    if (item) this.#blocks.set(item, block);
    if (this.#log.querySelectorAll(".turn").length > MOST_TURNS) this.#log.querySelector(".turn").remove();
    return block;
  }

  said(item, words, partial = false) {
    const block = this.#block(item);
    block.said ??= block.root.insertBefore(element("p", "said"), block.root.firstChild);
    block.said.textContent = words || text("no_words");
    block.said.classList.toggle("partial", partial);
    this.#follow();
  }

  // Typed, and not asked yet.
  waits(item, words) {
    const current = this.#current;
    this.said(item, words, true);
    this.#current = current;
  }

  asked(item, words) {
    this.#current = this.#block(item);
    this.said(item, words);
  }

  answered(item, words) {
    const block = this.#current && !this.#current.answer ? this.#current : this.#block(null);
    this.#settle();
    block.answer = block.root.appendChild(element("p", "answer", words));
    this.#replies.set(item, block.answer);
    this.#follow();
  }

  interrupted(item) {
    const answer = this.#replies.get(item);
    if (!answer || answer.classList.contains("interrupted")) return;
    answer.classList.add("interrupted");
    answer.append(element("span", "tag", text("interrupted")));
  }

  understood(item, plan) {
    const actions = plan?.actions ?? [];
    if (!actions.length) return;
    const list = element("ul", "actions");
    list.lang = "en"; // actions as data, whose names are those of the API
    list.translate = false;
    for (const { type, ...values } of actions) {
      const details = Object.values(values).map((value) => (typeof value === "object" ? JSON.stringify(value) : value));
      list.append(element("li", "", [type, ...details].join(" ")));
    }
    (this.#blocks.get(item) ?? this.#current)?.root.append(list);
    this.#follow();
  }

  // The answer takes longer than usual: say so until it is there.
  working(item) {
    this.#settle();
    this.#working = this.#block(item).root.appendChild(element("p", "working", text("still_working")));
    this.#working.setAttribute("role", "status");
    this.#follow();
  }

  #settle() {
    this.#working?.remove();
    this.#working = null;
  }

  ended(item, trace) {
    this.#settle();
    const timeline = drawTimeline(trace);
    if (timeline) (this.#blocks.get(item) ?? this.#current)?.root.append(timeline);
    this.#follow();
  }

  failed(code) {
    this.#settle();
    const name = known(`error_${code}`) ? `error_${code}` : "error_turn";
    (this.#current ?? this.#block(null)).root.append(element("p", "failed", text(name, { code })));
    this.#follow();
  }

  // Nothing was said after all: take the empty block away.
  forget(item) {
    const block = this.#blocks.get(item);
    if (!block || block.answer) return;
    block.root.remove();
    this.#blocks.delete(item);
    this.#empty.hidden = this.#log.querySelector(".turn") !== null;
  }

  #follow() {
    this.#log.parentElement.scrollTo({ top: this.#log.parentElement.scrollHeight, behavior: "smooth" });
  }
}
