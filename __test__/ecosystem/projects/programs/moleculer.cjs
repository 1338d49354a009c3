// A Moleculer broker with the gateway moleculer-io: actions called over a connection, rooms kept in its meta.
"use strict";

const { ServiceBroker } = require("moleculer");
const SocketIOService = require("moleculer-io");
const { serve } = require("./parent.cjs");

const broker = new ServiceBroker({ logger: false });
const seen = [];

broker.createService({
  name: "math",
  actions: {
    add: ({ params }) => Number(params.a) + Number(params.b),
    rooms: ({ meta }) => meta.$rooms.length,
    enter(ctx) {
      ctx.meta.$join = ctx.params.room;
      ctx.meta.user = { name: ctx.params.name };
      return "entered";
    },
    who: ({ meta }) => meta.user?.name,
  },
});
const gateway = broker.createService({
  name: "io",
  mixins: [SocketIOService],
  settings: {
    port: 0,
    io: {
      options: { serveClient: false },
      namespaces: {
        "/": {
          middlewares: [
            (socket, next) => {
              seen.push(`connection ${socket.handshake.query.id}`);
              next();
            },
          ],
          packetMiddlewares: [
            (packet, next) => {
              seen.push(`packet ${packet[0]}`);
              next();
            },
          ],
          events: { call: { whitelist: ["math.*"] } },
        },
      },
    },
  },
});

broker.start().then(() =>
  serve(gateway.io.httpServer.address().port, {
    seen: () => seen,
    broadcast: (rooms) =>
      broker.call("io.broadcast", { event: "news", args: [1, { two: 2 }], rooms }),
    clients: async (room) => (await broker.call("io.getClients", { room })).length,
    close: () => broker.stop(),
  }),
);
