// A live client of one debate: it reads events, and when the server is gone it comes back, when the
// server does, and asks for what follows the last seq it saw. A gap or a repeat is an error.

import { createRequire } from 'node:module';

import { events } from '../system/lib/client.mjs';

const WebSocket = createRequire(import.meta.url)('/usr/share/nodejs/ws');

export class Follower {
  // `place`: {url, wsUrl, up()}; up() resolves once a server answers there.
  constructor(place, id, socket) {
    this.place = place;
    this.id = id;
    this.frames = []; // those with a seq
    this.connects = 0;
    this.cuts = new Map(); // turn that has no result yet -> how often a kill cut it
    this.over = false;
    this.ended = (socket ? this.#follow(() => this.#readSocket()) : this.#follow(() => this.#readStream()))
      .finally(() => (this.over = true));
  }

  get seq() {
    return this.frames.length;
  }

  #take(frame) {
    if (!(frame.seq > 0)) return;
    if (frame.seq !== this.seq + 1) throw new Error(`${this.id}: seq ${frame.seq} after ${this.seq}`);
    this.frames.push(frame);
    const { turn, outcome } = frame.data ?? {};
    if (frame.type === 'attempt_end' && outcome === 'unknown') this.cuts.set(turn, (this.cuts.get(turn) ?? 0) + 1);
    else if (turn && !frame.type.startsWith('attempt_')) this.cuts.delete(turn);
  }

  // How often the unluckiest of its open turns was cut.
  get mostCut() {
    return this.over ? 0 : Math.max(0, ...this.cuts.values());
  }

  get #atEnd() {
    return this.frames.at(-1)?.type === 'debate_end';
  }

  async #follow(read) {
    while (!this.#atEnd) {
      await this.place.up();
      this.connects++;
      const wrong = await read();
      if (wrong) throw wrong;
    }
  }

  // Nothing, or what must never be; that the server is gone is none of it.
  async #readStream() {
    let wrong;
    const abort = new AbortController();
    try {
      const headers = this.seq > 0 ? { 'Last-Event-ID': String(this.seq) } : {};
      for await (const { frame } of events(this.place, `/api/debates/${this.id}/events`, { headers, signal: abort.signal })) {
        try {
          this.#take(frame);
        } catch (error) {
          wrong = error;
        }
        if (wrong || this.#atEnd) break;
      }
    } catch (error) {
      if (/: [45]\d\d$/.test(error.message)) wrong = error;
    }
    abort.abort();
    return wrong;
  }

  #readSocket() {
    return new Promise((resolve) => {
      const ws = new WebSocket(`${this.place.wsUrl}/ws/debates/${this.id}?since=${this.seq}`, { perMessageDeflate: false });
      let wrong;
      ws.on('message', (data) => {
        try {
          if (!wrong) this.#take(JSON.parse(data.toString()));
        } catch (error) {
          wrong = error;
        }
        if (wrong || this.#atEnd) ws.terminate();
      });
      ws.on('unexpected-response', (request, response) => {
        wrong = new Error(`${this.id}: ${response.statusCode}`);
        request.destroy();
      });
      ws.on('error', () => {});
      ws.on('close', () => resolve(wrong));
    });
  }
}
