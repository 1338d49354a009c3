// An app with the shape of uWebSockets.js, as far as engine.io and socket.io use it, on Node's http server and npm's `ws`.
// It is as strict as the real one where that matters: a request can be read only until its handler returns, a response not be touched
// once it has ended or is aborted, and a WebSocket neither once it has closed.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { closeServerAfterTest } from "./cleanup";
import { listenOnFreePort, trackHttpServer } from "./servers";

type HttpHandler = (res: AppResponse, req: AppRequest) => void;

/** The handlers of `app.ws`. */
interface Behavior {
  upgrade(res: AppResponse, req: AppRequest, context: unknown): void;
  open(webSocket: AppWebSocket): void;
  message(webSocket: AppWebSocket, message: ArrayBuffer, isBinary: boolean): void;
  close(webSocket: AppWebSocket, code: number, message: ArrayBuffer): void;
}

interface Route<Handler> {
  pattern: string;
  handler: Handler;
}

export class UwsApp {
  /** What `publish` was called with: topics and messages, binary ones as Buffers. */
  readonly published: [topic: string, message: string | Buffer][] = [];
  /** Open WebSockets in the order in which they came. */
  readonly webSockets = new Set<AppWebSocket>();
  private readonly routes: Route<HttpHandler>[] = [];
  private readonly behaviors: Route<Behavior>[] = [];
  private readonly wss = new WebSocketServer({ noServer: true });

  any(pattern: string, handler: HttpHandler): this {
    this.routes.push({ pattern, handler });
    return this;
  }

  /** Goes before the routes of `any`, as with uWebSockets.js. */
  get(pattern: string, handler: HttpHandler): this {
    this.routes.unshift({
      pattern,
      handler: (res, req) => (req.getMethod() === "get" ? handler(res, req) : req.setYield(true)),
    });
    return this;
  }

  ws(pattern: string, handler: Behavior): this {
    this.behaviors.push({ pattern, handler });
    return this;
  }

  publish(topic: string, message: string | Uint8Array, isBinary: boolean): boolean {
    const text = isBinary ? Buffer.from(message as Uint8Array) : String(message);
    this.published.push([topic, text]);
    const receivers = [...this.webSockets].filter(({ topics }) => topics.has(topic));
    for (const webSocket of receivers) {
      webSocket.send(message, isBinary);
    }
    return receivers.length > 0;
  }

  /** Listens on a free port, until the test is over. */
  async listen(): Promise<number> {
    const httpServer = trackHttpServer(createServer());
    httpServer.on("request", (req, res) => this.onRequest(req, res));
    httpServer.on("upgrade", (req, stream, head) => this.onUpgrade(req, stream, head));
    closeServerAfterTest(() => {
      for (const webSocket of this.webSockets) {
        webSocket.inner.terminate();
      }
    });
    return listenOnFreePort(httpServer);
  }

  private onRequest(req: IncomingMessage, res: ServerResponse): void {
    const request = new AppRequest(req);
    const response = new AppResponse(req, res);
    for (const { pattern, handler } of this.routes) {
      if (!matches(pattern, request.getUrl())) {
        continue;
      }
      request.setYield(false);
      handler(response, request);
      if (!request.isYielding) {
        request.expire();
        return;
      }
    }
    response.writeStatus("404 Not Found");
    response.end("no route");
  }

  private onUpgrade(req: IncomingMessage, stream: Duplex, head: Buffer): void {
    const request = new AppRequest(req);
    const route = this.behaviors.find(({ pattern }) => matches(pattern, request.getUrl()));
    if (route === undefined) {
      stream.destroy();
      return;
    }
    const { handler } = route;
    const response = new AppResponse(req, undefined, stream, (userData) => {
      this.wss.handleUpgrade(req, stream, head, (inner) => {
        const webSocket = new AppWebSocket(inner, userData);
        this.webSockets.add(webSocket);
        inner.on("message", (data: Buffer, isBinary) => {
          handler.message(webSocket, new Uint8Array(data).buffer as ArrayBuffer, isBinary);
        });
        inner.on("close", (code, reason) => {
          this.webSockets.delete(webSocket);
          webSocket.isClosed = true;
          handler.close(webSocket, code, new Uint8Array(reason).buffer as ArrayBuffer);
        });
        handler.open(webSocket);
      });
    });
    handler.upgrade(response, request, {});
    request.expire();
  }
}

/** `/path/*` or a path as it is, with or without the slash at its end. */
function matches(pattern: string, url: string): boolean {
  return pattern.endsWith("/*") ? url.startsWith(pattern.slice(0, -1)) : url === pattern;
}

export class AppRequest {
  isYielding = false;
  private isExpired = false;

  constructor(private readonly req: IncomingMessage) {}

  expire(): void {
    this.isExpired = true;
  }

  getMethod(): string {
    return (this.readable.method as string).toLowerCase();
  }

  getUrl(): string {
    return (this.readable.url as string).split("?")[0] as string;
  }

  getQuery(): string {
    return (this.readable.url as string).split("?")[1] ?? "";
  }

  getHeader(name: string): string {
    return String(this.readable.headers[name] ?? "");
  }

  forEach(visit: (key: string, value: string) => void): void {
    for (const [key, value] of Object.entries(this.readable.headers)) {
      visit(key, String(value));
    }
  }

  setYield(isYielding: boolean): void {
    this.isYielding = isYielding;
  }

  private get readable(): IncomingMessage {
    if (this.isExpired) {
      throw new Error("the request was read after its handler had returned");
    }
    return this.req;
  }
}

export class AppResponse {
  private status = "200 OK";
  private readonly headers: [string, string][] = [];
  private isOver = false;
  private body = Buffer.alloc(0);

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse | undefined,
    private readonly stream: Duplex = req.socket,
    private readonly accept?: (userData: unknown) => void,
  ) {}

  onAborted(listener: () => void): this {
    this.stream.once("close", () => {
      if (!this.isOver) {
        this.isOver = true;
        listener();
      }
    });
    return this;
  }

  onData(listener: (chunk: ArrayBuffer, isLast: boolean) => void): this {
    this.req.on("data", (chunk: Buffer) => listener(copy(chunk), false));
    this.req.on("end", () => listener(new ArrayBuffer(0), true));
    return this;
  }

  cork(write: () => void): this {
    this.mustBeOpen();
    write();
    return this;
  }

  writeStatus(status: string): this {
    this.mustBeOpen();
    this.status = status;
    return this;
  }

  writeHeader(name: string, value: string): this {
    this.mustBeOpen();
    this.headers.push([name, value]);
    return this;
  }

  getWriteOffset(): number {
    return this.body.length;
  }

  /** Takes everything at once; there is no back-pressure here. */
  tryEnd(chunk: ArrayBuffer, total: number): [boolean, boolean] {
    this.mustBeOpen();
    this.body = Buffer.concat([this.body, Buffer.from(chunk)]);
    const isDone = this.body.length >= total;
    if (isDone) {
      this.end(this.body);
    }
    return [true, isDone];
  }

  end(content: string | Uint8Array = ""): void {
    this.mustBeOpen();
    this.isOver = true;
    const [code, ...reason] = this.status.split(" ");
    if (this.res === undefined) {
      this.stream.end(`HTTP/1.1 ${this.status}\r\nConnection: close\r\n\r\n`);
      return;
    }
    const length: [string, string][] =
      code === "304" ? [] : [["Content-Length", String(Buffer.byteLength(content))]];
    this.res.writeHead(Number(code), reason.join(" "), [...this.headers, ...length].flat());
    this.res.end(content);
  }

  close(): void {
    this.stream.destroy();
  }

  upgrade(userData: unknown): void {
    this.mustBeOpen();
    this.isOver = true;
    this.accept?.(userData);
  }

  getRemoteAddressAsText(): ArrayBuffer {
    return copy(Buffer.from(this.req.socket.remoteAddress ?? ""));
  }

  private mustBeOpen(): void {
    if (this.isOver) {
      throw new Error("the response was used after it had ended or was aborted");
    }
  }
}

export class AppWebSocket {
  readonly topics = new Set<string>();
  isClosed = false;

  constructor(
    readonly inner: WebSocket,
    private readonly userData: unknown,
  ) {}

  getUserData(): unknown {
    return this.userData;
  }

  send(message: string | Uint8Array, isBinary: boolean): number {
    this.mustBeOpen();
    this.inner.send(message, { binary: isBinary });
    return 1;
  }

  subscribe(topic: string): boolean {
    this.mustBeOpen();
    this.topics.add(topic);
    return true;
  }

  unsubscribe(topic: string): boolean {
    this.mustBeOpen();
    return this.topics.delete(topic);
  }

  end(code?: number): void {
    this.mustBeOpen();
    this.inner.close(code);
  }

  private mustBeOpen(): void {
    if (this.isClosed) {
      throw new Error("the WebSocket was used after it had closed");
    }
  }
}

function copy(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer as ArrayBuffer;
}
