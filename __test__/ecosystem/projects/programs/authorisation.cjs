// Middlewares that decide who comes in: express-socket.io-session, passport.socketio and @thream/socketio-jwt. The first treats
// the handshake as a request of Express, the second reads the request under the connection.
"use strict";

const cookieParser = require("cookie-parser");
const express = require("express");
const session = require("express-session");
const sharedSession = require("express-socket.io-session");
const passport = require("passport");
const passportSocketIO = require("passport.socketio");
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { listen, serve } = require("./parent.cjs");

const SECRET = "the secret of the sessions";
const store = new session.MemoryStore();
const sessions = session({ secret: SECRET, store, resave: true, saveUninitialized: true });

passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, { id, name: `user ${id}` }));

const app = express();
app.use(sessions, passport.initialize(), passport.session());
app.get("/login/:id", (req, res, next) => {
  req.session.visits = 1;
  const keep = { keepSessionInfo: true };
  req.login({ id: req.params.id }, keep, (error) => (error ? next(error) : res.sendStatus(204)));
});
app.get("/visits", (req, res) => res.json(req.session.visits ?? 0));

const httpServer = createServer(app);
const io = new Server(httpServer);

const shared = io.of("/session");
shared.use(sharedSession(sessions, { autoSave: true }));
shared.on("connection", (socket) => {
  socket.on("visit", (reply) => {
    const { handshake } = socket;
    handshake.session.visits += 1;
    handshake.session.save((error) => reply(error ?? null));
  });
});

const passports = io.of("/passport");
passports.use(passportSocketIO.authorize({ cookieParser, secret: SECRET, store, passport }));
passports.on("connection", (socket) => {
  socket.emit("you", socket.request.user, socket.conn.request.user.logged_in);
});

async function start() {
  const { authorize } = await import("@thream/socketio-jwt");
  const tokens = io.of("/jwt");
  tokens.use(
    authorize({ secret: SECRET, onAuthentication: ({ sub }) => ({ name: `user ${sub}` }) }),
  );
  tokens.on("connection", (socket) => socket.emit("you", socket.user, socket.decodedToken.sub));
  const jwt = require("jsonwebtoken");
  serve(await listen(httpServer), {
    token: (secret = SECRET) => jwt.sign({ sub: "7" }, secret),
    close: () => io.close(),
  });
}

start();
