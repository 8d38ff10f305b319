// The talk page: wires the microphone, the connection, the loudspeaker and what is shown.

import { Loudspeaker, Microphone } from "./audio.js";
import { Client } from "./client.js";
import { Conversation } from "./conversation.js";
import { loadText, offerLanguages, text } from "./text.js";

const byId = (id) => document.getElementById(id);
const KEY = "entendre.key";
const DEVICE = "entendre.device";

function deviceName() {
  let name = localStorage.getItem(DEVICE);
  if (!name) {
    name = `browser-${Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    localStorage.setItem(DEVICE, name);
  }
  return name;
}

const client = new Client(deviceName());
const microphone = new Microphone();
const loudspeaker = new Loudspeaker();
const conversation = new Conversation(byId("log"), byId("empty"));
let settings = {};
let connection = "idle";
let responding = null;
let asking = false; // a typed sentence was sent, of whose answer nothing has come: another would cancel it
let dropped = null; // the response that was cancelled for it, what still comes of which is nothing of its answer
const waiting = [];

function showState() {
  const state = connection !== "ready" ? connection : loudspeaker.playing ? "speaking" : microphone.open ? "listening" : "ready";
  byId("status").dataset.state = state === "refused" ? "failed" : state;
  byId("status-text").textContent = text(`status_${state === "refused" ? "failed" : state}`);
  byId("microphone").setAttribute("aria-pressed", String(microphone.open));
  byId("microphone").setAttribute("aria-label", text(microphone.open ? "microphone_stop" : "microphone_start"));
}

function notice(name) {
  byId("notice").hidden = !name;
  byId("notice").textContent = name ? text(name) : "";
}

function flush() {
  const cut = loudspeaker.flush();
  if (!cut) return;
  client.send({ type: "conversation.item.truncate", item_id: cut.item, content_index: 0, audio_end_ms: cut.audioEndMs });
  conversation.interrupted(cut.item);
}

async function askForKey() {
  byId("key-form").hidden = false;
  byId("key").focus();
}

async function keyIsGood() {
  const headers = client.key ? { Authorization: `Bearer ${client.key}` } : {};
  return (await fetch("/v1/models", { headers })).status !== 401;
}

async function toggleMicrophone() {
  notice("");
  if (microphone.open) {
    await microphone.stop();
    byId("level").style.transform = "";
    client.send({ type: "input_audio_buffer.clear" });
    return showState();
  }
  if (!navigator.mediaDevices) return notice("error_insecure");
  try {
    await loudspeaker.unlock();
    await microphone.start((pcm, level) => {
      client.sendAudio(pcm);
      byId("level").style.transform = `scale(${1 + Math.min(level * 4, 0.6)})`;
    });
  } catch (refused) {
    await microphone.stop();
    notice(refused.name === "NotFoundError" ? "error_microphone_missing" : "error_microphone_denied");
  }
  showState();
}

async function type(words) {
  if (!words.trim()) return;
  await loudspeaker.unlock();
  const id = `typed_${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
  conversation.waits(id, words);
  waiting.push({ id, words });
  askNext();
}

function askNext() {
  if (asking || !waiting.length) return;
  flush();
  dropped = responding;
  if (responding) client.send({ type: "response.cancel", response_id: responding });
  const { id, words } = waiting.shift();
  asking = true;
  conversation.asked(id, words);
  client.send({
    type: "conversation.item.create",
    item: { id, type: "message", role: "user", content: [{ type: "input_text", text: words }] },
  });
  client.send({ type: "response.create" });
}

function answerCame(response) {
  if (response && response === dropped) return;
  asking = false;
  askNext();
}

client.addEventListener("state", async ({ detail }) => {
  connection = detail;
  showState();
  asking = asking && detail === "ready";
  if (detail === "ready") {
    notice("");
    askNext(); // what was typed before the connection was lost
  }
  if (detail !== "failed" && detail !== "refused") return;
  loudspeaker.flush();
  responding = null;
  const good = await keyIsGood().catch(() => null);
  if (good === false) {
    client.disconnect();
    notice("error_key");
    await askForKey();
  } else notice("error_connection");
});
client.addEventListener("input_audio_buffer.speech_started", () => flush());
client.addEventListener("entendre.partial", ({ detail }) => conversation.said(detail.item_id, detail.text, true));
client.addEventListener("conversation.item.input_audio_transcription.completed", ({ detail }) => {
  if (detail.transcript) conversation.said(detail.item_id, detail.transcript);
  else conversation.forget(detail.item_id);
});
client.addEventListener("response.output_audio_transcript.delta", ({ detail }) => {
  if (detail.delta) conversation.answered(detail.item_id, detail.delta);
  answerCame(detail.response_id);
});
client.addEventListener("response.output_audio.delta", ({ detail }) => {
  loudspeaker.play(detail.item_id, detail.delta);
  showState();
});
client.addEventListener("response.created", ({ detail }) => {
  responding = detail.response.id;
});
client.addEventListener("response.done", ({ detail: { response } }) => {
  if (responding === response.id) responding = null;
  if (response.status === "cancelled") for (const item of response.output) conversation.interrupted(item.id);
  if (response.status === "failed") conversation.failed(response.status_details?.error?.code ?? "");
  answerCame(response.id);
});
client.addEventListener("entendre.turn", ({ detail }) => {
  if (detail.stage === "understood") conversation.understood(detail.item_id, detail.plan);
  else if (detail.stage === "working") conversation.working(detail.item_id);
  else if (detail.stage === "ended") conversation.ended(detail.item_id, detail.trace);
});
client.addEventListener("error", ({ detail }) => {
  // Both mean that something had just ended when the page asked to end it.
  if (!["invalid_truncation", "response_cancel_not_active"].includes(detail.error.code)) {
    conversation.failed(detail.error.code ?? detail.error.type);
    answerCame();
  }
});
loudspeaker.onIdle = showState;

byId("microphone").addEventListener("click", toggleMicrophone);
byId("type-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = byId("text").value;
  byId("text").value = "";
  type(words);
});
byId("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  client.key = byId("key").value.trim();
  if (!(await keyIsGood().catch(() => false))) return notice("error_key");
  sessionStorage.setItem(KEY, client.key);
  byId("key").value = "";
  byId("key-form").hidden = true;
  notice("");
  client.connect();
});

settings = await (await fetch("/static/settings")).json();
const chosen = await loadText(settings.languages, settings.language);
offerLanguages(byId("language"), settings.languages, chosen.language);
client.language = chosen.talk;
for (const example of text("examples")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = example;
  button.addEventListener("click", () => type(example));
  byId("examples").append(document.createElement("li").appendChild(button).parentElement);
}
client.key = sessionStorage.getItem(KEY) ?? "";
showState();
if (settings.requires_key && !client.key) await askForKey();
else client.connect();
