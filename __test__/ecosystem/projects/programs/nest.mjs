// A NestJS application with two gateways on its own http server and a custom adapter, as its documentation shows them.
// The decorators are applied by hand, so that no compiler stands between the program and the test.

import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { IoAdapter } from "@nestjs/platform-socket.io";
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from "@nestjs/websockets";
import { from, map } from "rxjs";
import { Server } from "socket.io";
import { Adapter } from "socket.io-adapter";
import parent from "./parent.cjs";

const seen = [];

class ChatGateway {
  afterInit(server) {
    seen.push(`init ${server.name}`);
  }

  handleConnection(client) {
    seen.push(`connection ${client.handshake.auth.name}`);
  }

  handleDisconnect(client) {
    seen.push(`disconnect ${client.handshake.auth.name}`);
  }

  echo(data) {
    return data;
  }

  greet(name) {
    return { event: "greeting", data: `hello ${name}` };
  }

  countdown(start) {
    const steps = Array.from({ length: start }, (_, index) => start - index);
    return from(steps).pipe(map((data) => ({ event: "step", data })));
  }

  async join(room, client) {
    await client.join(room);
    this.server.to(room).emit("joined", room, client.id);
    return [...client.rooms].length;
  }

  fail() {
    throw new WsException("refused");
  }
}

/** What a decorator on a method does. */
const onMessage = (name, method, parameters = []) => {
  const { prototype } = ChatGateway;
  SubscribeMessage(name)(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
  parameters.forEach((parameter, index) => {
    parameter(prototype, method, index);
  });
};
onMessage("echo", "echo", [MessageBody()]);
onMessage("greet", "greet", [MessageBody()]);
onMessage("countdown", "countdown", [MessageBody()]);
onMessage("join", "join", [MessageBody(), ConnectedSocket()]);
onMessage("fail", "fail");
WebSocketServer()(ChatGateway.prototype, "server");
WebSocketGateway({ namespace: "chat", cors: { origin: "http://example.com" } })(ChatGateway);

class RootGateway {
  handleConnection(client) {
    client.emit("welcome", this.server instanceof Server);
  }
}
WebSocketServer()(RootGateway.prototype, "server");
WebSocketGateway({ cors: { origin: "http://example.com" } })(RootGateway);

class PageController {
  page() {
    return "page";
  }
}
Get("page")(
  PageController.prototype,
  "page",
  Object.getOwnPropertyDescriptor(PageController.prototype, "page"),
);
Controller()(PageController);

/** Adapters of a cluster are put in place like this. */
class NamingAdapter extends Adapter {
  init() {
    seen.push(`adapter of ${this.nsp.name}`);
  }
}
class OwnIoAdapter extends IoAdapter {
  createIOServer(port, options) {
    const server = super.createIOServer(port, { ...options, serveClient: false });
    server.adapter(NamingAdapter);
    return server;
  }
}

class AppModule {}
Module({ controllers: [PageController], providers: [ChatGateway, RootGateway] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
app.useWebSocketAdapter(new OwnIoAdapter(app));
await app.listen(0, "127.0.0.1");
parent.serve(app.getHttpServer().address().port, {
  seen: () => seen,
  close: () => app.close(),
});
