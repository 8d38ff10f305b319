// Microphone and loudspeaker.

const RATE_HZ = 24000;

function newContext() {
  try {
    return new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
  } catch {
    return new AudioContext({ latencyHint: "interactive" });
  }
}

function toBase64(buffer) {
  const bytes = new Uint8Array(buffer);
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

function fromBase64(base64) {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length & ~1);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return new Int16Array(bytes.buffer);
}

export class Microphone {
  #context = null;
  #stream = null;

  get open() {
    return this.#stream !== null;
  }

  async start(onPiece) {
    this.#stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    this.#context = newContext();
    try {
      await this.#connect(onPiece);
    } catch (refused) {
      // Some browsers join a microphone only to a context of its own rate.
      if (refused.name !== "NotSupportedError") throw refused;
      await this.#context.close();
      this.#context = new AudioContext({ latencyHint: "interactive" });
      await this.#connect(onPiece);
    }
  }

  async #connect(onPiece) {
    await this.#context.audioWorklet.addModule("/static/microphone-worklet.js");
    const source = this.#context.createMediaStreamSource(this.#stream);
    const worklet = new AudioWorkletNode(this.#context, "microphone", { numberOfOutputs: 0 });
    worklet.port.onmessage = ({ data }) => onPiece(toBase64(data.pcm), data.level);
    source.connect(worklet);
    await this.#context.resume();
  }

  async stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    await this.#context?.close();
    this.#context = null;
  }
}

export class Loudspeaker {
  #context = null;
  #sources = new Set();
  #until = 0;
  #item = null;
  #startedAt = 0;
  #sent = 0;
  onIdle = () => {};

  async unlock() {
    this.#context ??= newContext();
    if (this.#context.state === "suspended") await this.#context.resume();
  }

  get playing() {
    return this.#sources.size > 0;
  }

  play(item, base64) {
    if (!this.#context) return;
    const pcm = fromBase64(base64);
    if (pcm.length === 0) return;
    const buffer = this.#context.createBuffer(1, pcm.length, RATE_HZ);
    const channel = buffer.getChannelData(0);
    for (let at = 0; at < pcm.length; at += 1) channel[at] = pcm[at] / 32768;
    const now = this.#context.currentTime;
    if (item !== this.#item) {
      this.#item = item;
      this.#startedAt = Math.max(now, this.#until);
      this.#sent = 0;
    }
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#context.destination);
    source.onended = () => {
      this.#sources.delete(source);
      if (!this.playing) this.onIdle();
    };
    this.#until = Math.max(now, this.#until);
    source.start(this.#until);
    this.#until += buffer.duration;
    this.#sent += buffer.duration;
    this.#sources.add(source);
  }

  // Silence at once; which item was cut and after how much of it, or null if nothing was playing.
  flush() {
    if (!this.playing) return null;
    for (const source of this.#sources) {
      source.onended = null;
      source.stop();
    }
    this.#sources.clear();
    const played = Math.max(0, Math.min(this.#context.currentTime - this.#startedAt, this.#sent));
    this.#until = 0;
    this.onIdle();
    return { item: this.#item, audioEndMs: Math.floor(played * 1000) };
  }
}
