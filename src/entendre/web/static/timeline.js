// The parts of a turn's waiting time as one bar.

import { text } from "./text.js";

// Where each part ends, and what it was spent on. A part that had been done before the speaker paused costs nothing.
const PARTS = [
  ["draft_asked_s", "wait"],
  ["draft_s", "hear"],
  ["commit_s", "wait"],
  ["understood_s", "think"],
  ["acted_s", "act"],
  ["first_audio_s", "say"],
];

export function timelineOf(trace) {
  const typed = trace.speech_end_s === undefined;
  const from = typed ? trace.commit_s : trace.speech_end_s;
  if (from === undefined || trace.first_audio_s === undefined) return null;
  const ends = PARTS.filter(([name]) => trace[name] !== undefined).sort((one, two) => trace[one[0]] - trace[two[0]]);
  if (trace.first_audio_s <= from) return null; // without microphone audio the stream's clock stands still
  let at = from;
  const spans = [];
  for (const [name, kind] of ends) {
    const seconds = trace[name] - at;
    if (seconds > 0) spans.push({ kind, ms: seconds * 1000 });
    at = Math.max(at, trace[name]);
  }
  return { spans, totalMs: (trace.first_audio_s - from) * 1000, typed };
}

export function drawTimeline(trace) {
  const timeline = timelineOf(trace);
  if (!timeline) return null;
  const figure = element("figure", "timeline");
  const gap = element("p", "gap");
  gap.append(element("span", "", text(timeline.typed ? "gap_typed" : "gap")), element("b", "", ms(timeline.totalMs)));
  const chart = element("div", "chart");
  const legend = element("ul", "legend");
  const sums = new Map();
  for (const span of timeline.spans) {
    const bar = element("span", `span-${span.kind}`);
    bar.style.flexGrow = String(Math.max(span.ms, 1));
    chart.append(bar);
    sums.set(span.kind, (sums.get(span.kind) ?? 0) + span.ms);
  }
  for (const [kind, sum] of sums) {
    const entry = element("li");
    entry.append(element("i", `span-${kind}`), `${text(`span_${kind}`)} ${ms(sum)}`);
    legend.append(entry);
  }
  figure.append(gap, chart, legend);
  figure.style.margin = "0";
  return figure;
}

export function element(tag, className = "", content = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (content) made.textContent = content;
  return made;
}

function ms(value) {
  return text("milliseconds", { n: Math.round(value) });
}
