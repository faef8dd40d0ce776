// Stands before the fake provider and notes which turn each request is for, so that what was asked
// can be held against what the logs say was asked.

import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';

import { turnOfRequest } from './cast.mjs';

export class Recorder {
  constructor(upstream) {
    this.upstream = new URL(upstream);
    this.counts = new Map(); // turn -> requests
    this.models = new Map(); // turn -> the models that were asked
    this.total = 0;
    this.agent = new Agent({ keepAlive: true, maxSockets: 256 });
    this.server = createServer((request, response) => this.#take(request, response));
  }

  async start() {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
    this.agent.destroy();
  }

  // A request counts once it is here as a whole; a killed client's half of one is none.
  #take(request, response) {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('error', () => {});
    request.on('end', () => {
      const body = Buffer.concat(pieces);
      this.#note(JSON.parse(body.toString()));
      this.#pass(request, body, response);
    });
  }

  #note(body) {
    const turn = turnOfRequest(body);
    this.counts.set(turn, (this.counts.get(turn) ?? 0) + 1);
    this.models.set(turn, (this.models.get(turn) ?? new Set()).add(body.model));
    this.total++;
  }

  #pass(request, body, response) {
    const { hostname, port } = this.upstream;
    const options = { hostname, port, method: request.method, path: request.url, headers: request.headers, agent: this.agent };
    const onward = httpRequest(options, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => { if (!response.writableFinished) onward.destroy(); });
    onward.end(body);
  }
}
