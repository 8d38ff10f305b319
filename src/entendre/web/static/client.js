// The Realtime protocol: one WebSocket that comes back by itself.

const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 8000;
const SEND_BUFFER_BYTES = 1 << 20;

export class Client extends EventTarget {
  #socket = null;
  #retryMs = RETRY_FIRST_MS;
  #wanted = false;
  #opened = false;
  #waiting = [];

  constructor(device) {
    super();
    this.device = device;
    this.key = "";
    this.language = "";
  }

  get connected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    if (this.#socket && this.#socket.readyState <= WebSocket.OPEN) return;
    this.#wanted = true;
    this.#opened = false;
    const address = new URL("/v1/realtime", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("device", this.device);
    const room = new URLSearchParams(location.search).get("room");
    if (room) address.searchParams.set("room", room);
    if (this.language) address.searchParams.set("language", this.language);
    const protocols = ["realtime", ...(this.key ? [`openai-insecure-api-key.${this.key}`] : [])];
    this.#say("state", "connecting");
    this.#socket = new WebSocket(address, protocols);
    this.#socket.onopen = () => this.#open();
    this.#socket.onmessage = (message) => this.#receive(JSON.parse(message.data));
    this.#socket.onclose = () => this.#close();
  }

  disconnect() {
    this.#wanted = false;
    this.#socket?.close();
  }

  send(event) {
    if (this.connected) this.#socket.send(JSON.stringify(event));
    else if (event.type !== "input_audio_buffer.append") this.#waiting.push(event);
  }

  sendAudio(base64) {
    // A network that stands still must not fill this tab's memory with sound nobody will hear.
    if (this.connected && this.#socket.bufferedAmount < SEND_BUFFER_BYTES) {
      this.send({ type: "input_audio_buffer.append", audio: base64 });
    }
  }

  #open() {
    this.#opened = true;
    this.#retryMs = RETRY_FIRST_MS;
    this.send({
      type: "session.update",
      session: {
        type: "realtime",
        include: ["entendre.turn", "entendre.partial"],
        audio: {
          input: { format: { type: "audio/pcm", rate: 24000 }, turn_detection: { type: "semantic_vad" } },
          output: { format: { type: "audio/pcm", rate: 24000 } },
        },
      },
    });
    for (const event of this.#waiting.splice(0)) this.send(event);
    this.#say("state", "ready");
  }

  #receive(event) {
    this.#say(event.type, event);
  }

  #close() {
    this.#socket = null;
    if (!this.#wanted) return this.#say("state", "idle");
    this.#say("state", this.#opened ? "failed" : "refused");
    setTimeout(() => this.#wanted && this.connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
