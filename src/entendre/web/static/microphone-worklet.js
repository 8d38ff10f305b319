// Runs on the audio thread: microphone samples to 20 ms of PCM16 at 24 kHz.

const RATE_HZ = 24000;
const PIECE_SAMPLES = 480;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.step = sampleRate / RATE_HZ;
    this.position = 0;
    this.last = 0;
    this.piece = new Int16Array(PIECE_SAMPLES);
    this.filled = 0;
    this.energy = 0;
  }

  process(inputs) {
    const input = inputs[0][0];
    if (!input) return true;
    // The context usually runs at 24 kHz already; where the browser refuses, interpolate.
    while (this.position < input.length) {
      const index = Math.floor(this.position);
      const before = index === 0 ? this.last : input[index - 1];
      this.push(this.step === 1 ? input[index] : before + (input[index] - before) * (this.position - index));
      this.position += this.step;
    }
    this.position -= input.length;
    this.last = input[input.length - 1];
    return true;
  }

  push(sample) {
    const clipped = Math.max(-1, Math.min(1, sample));
    this.energy += clipped * clipped;
    this.piece[this.filled++] = Math.round(clipped * 32767);
    if (this.filled < PIECE_SAMPLES) return;
    const level = Math.sqrt(this.energy / PIECE_SAMPLES);
    this.port.postMessage({ pcm: this.piece.buffer, level }, [this.piece.buffer]);
    this.piece = new Int16Array(PIECE_SAMPLES);
    this.filled = 0;
    this.energy = 0;
  }
}

registerProcessor("microphone", Microphone);
