// A daemon of a test's own, on a free port of loopback, and what can stand between it and a browser.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import net from "node:net";

const PATIENCE_MS = 30_000;

export class Daemon {
  // `flags` as a person types them; `dir` holds the data.
  static async start({ program, dir, flags = [], port = 0 }) {
    await mkdir(dir, { recursive: true });
    const daemon = new Daemon();
    Object.assign(daemon, { program, dir, flags });
    await daemon.begin(port);
    return daemon;
  }

  async begin(port) {
    const args = ["serve", "--data-dir", `${this.dir}/data`, "--addr", `127.0.0.1:${port}`, "--host", "media.test", "--cores", "2", "--segment-mib", "4", ...this.flags];
    this.process = spawn(this.program, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.log = "";
    this.process.stderr.on("data", (data) => { this.log += data; });
    let said = "";
    const url = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the daemon does not start: ${said}${this.log}`)), PATIENCE_MS);
      this.process.stdout.on("data", (data) => {
        said += data;
        const found = /^listening on (\S+)/m.exec(said);
        if (found) resolve(found[1]);
        if (found) clearTimeout(timer);
      });
      this.process.once("exit", () => reject(new Error(`the daemon ended: ${said}${this.log}`)));
    });
    this.url = url;
    this.port = Number(new URL(url).port);
    // The name that is not a secure context: there, as over any plain network, a page has no WebCrypto.
    this.plainUrl = `http://media.test:${this.port}`;
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
      if ((await fetch(`${url}/readyz`)).ok) return;
    }
    throw new Error("the daemon does not become ready");
  }

  async stop(signal = "SIGTERM") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill(signal);
    await once(this.process, "exit");
  }

  async metric(name) {
    const page = await (await fetch(`${this.url}/metrics`)).text();
    const line = page.split("\n").find((line) => line.startsWith(`${name} `));
    return Number(line?.split(" ").at(-1));
  }

  async upload(name, content, query = "") {
    const answer = await fetch(`${this.url}/files/${encodeURIComponent(name)}${query}`, { method: "PUT", body: content });
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  // Waits until so many files are listed that match: the list follows what is stored by a moment, and has none while it is
  // being made.
  async lists(count, query = "") {
    let listed;
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const answer = await fetch(`${this.url}/files?limit=1000${query}`);
      listed = answer.ok ? (await answer.json()).files.length : await answer.text();
      if (listed === count) return;
    }
    throw new Error(`${count} files are to be listed${query}, not ${listed}`);
  }
}

const answer = (head, error) => {
  const body = JSON.stringify({ error });
  return `HTTP/1.1 ${head}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
};
// As a daemon answers that has no time now, and as one that has a fault.
export const BUSY = answer("503 Service Unavailable\r\nRetry-After: 1", "busy");
export const BROKEN = answer("500 Internal Server Error", "broken");

// Passes connections on to a port, and can cut them.
export class Link {
  static async to(port) {
    const link = new Link();
    link.sockets = new Set();
    // Cuts its client off each time that so many bytes have passed, as often as it is still to be cut. A browser tries a
    // connection that it kept once more by itself, without a word to the page.
    link.cutsLeft = 0;
    link.bytesBetween = 0;
    // Cuts off whoever sends this.
    link.refused = null;
    // Answers `{ to, what }` in place of the daemon, and counts how often it did.
    link.answers = null;
    link.answered = 0;
    let bytes = 0;
    // How fast a client's bytes pass.
    link.bytesPerSecond = Infinity;
    link.server = net.createServer((client) => {
      const upstream = net.connect(port, "127.0.0.1");
      for (const socket of [client, upstream]) {
        link.sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          link.sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
      }
      client.on("data", (data) => {
        if (link.refused !== null && data.includes(link.refused)) {
          client.resetAndDestroy();
          return;
        }
        if (link.answers !== null && data.includes(link.answers.to)) {
          link.answered++;
          client.end(link.answers.what);
          return;
        }
        bytes += data.length;
        if (link.cutsLeft === 0 || bytes < link.bytesBetween) {
          const hasRoom = upstream.write(data);
          const pauseMs = (1000 * data.length) / link.bytesPerSecond;
          if (hasRoom && pauseMs < 1) return;
          client.pause();
          if (hasRoom) setTimeout(() => client.resume(), pauseMs);
          else upstream.once("drain", () => setTimeout(() => client.resume(), pauseMs));
          return;
        }
        bytes = 0;
        link.cutsLeft--;
        client.resetAndDestroy();
      });
      upstream.pipe(client);
    });
    link.server.listen(0, "127.0.0.1");
    await once(link.server, "listening");
    link.url = `http://media.test:${link.server.address().port}`;
    return link;
  }

  close() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
