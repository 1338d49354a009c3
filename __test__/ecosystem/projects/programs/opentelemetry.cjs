// OpenTelemetry's instrumentation, which wraps prototypes in files that it finds by name as they are required.
"use strict";

const { trace } = require("@opentelemetry/api");
const { SocketIoInstrumentation } = require("@opentelemetry/instrumentation-socket.io");
const {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} = require("@opentelemetry/sdk-trace-base");

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
trace.setGlobalTracerProvider(provider);
const instrumentation = new SocketIoInstrumentation({ traceReserved: true });
instrumentation.setTracerProvider(provider);

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { listen, serve } = require("./parent.cjs");

const httpServer = createServer();
const io = new Server(httpServer);
io.on("connection", (socket) => {
  socket.on("question", (data, reply) => {
    socket.emit("direct", data);
    reply("answer");
  });
  socket.join("blue");
});
io.of("/admin").on("connection", () => {});

const spans = () =>
  exporter.getFinishedSpans().map(({ name, kind, attributes }) => ({ name, kind, attributes }));

listen(httpServer).then((port) =>
  serve(port, {
    spans,
    broadcast: () => {
      io.emit("to all");
      io.to("blue").emit("to a room");
      io.of("/admin").emit("to a namespace");
      io.sockets.sockets.values().next().value.broadcast.emit("to the others");
    },
    close: () => io.close(),
  }),
);
