// What the server does with a chat: who is in which room, who is typing, messages to a room or to one
// person, pictures, and a count of all broadcasts. It keeps nothing: a page tells its name and its room each time it
// connects, so that a restarted server finds everybody again.
"use strict";

const MAX_NAME_LENGTH = 24;
const MAX_TEXT_LENGTH = 2_000;
const MAX_IMAGE_BYTES = 1_024 * 1_024;
const IMAGE_TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** Listed even when nobody is there. */
const STANDING_ROOMS = ["lobby", "music", "random"];

/** Lists and counts go out at most this often, however many come and go. */
const NEWS_INTERVAL_MS = 100;

/** @param {import("socket.io").Server} io */
function openChat(io) {
  let broadcasts = 0;
  let newsTimer;

  io.use((socket, next) => {
    const name = cleanName(socket.handshake.auth.name);
    const room = cleanName(socket.handshake.auth.room);
    if (name === undefined || room === undefined) {
      return next(new Error(`A name and a room have 1 to ${MAX_NAME_LENGTH} characters.`));
    }
    Object.assign(socket.data, { name, room });
    next();
  });

  io.on("connection", (socket) => {
    enter(socket.data.room);

    socket.on("message", (text, answer) => {
      if (!isText(text)) return refuse(answer, `A message has 1 to ${MAX_TEXT_LENGTH} characters.`);
      broadcast("message", { ...origin(), text });
      accept(answer);
    });

    socket.on("image", (image, answer) => {
      if (!IMAGE_TYPES.has(image?.type) || !Buffer.isBuffer(image.bytes)) {
        return refuse(answer, "A picture is a PNG, JPEG, GIF or WebP file.");
      }
      if (image.bytes.length > MAX_IMAGE_BYTES)
        return refuse(answer, "A picture has at most 1 MB.");
      broadcast("image", { ...origin(), type: image.type, bytes: image.bytes });
      accept(answer);
    });

    socket.on("private message", (to, text, answer) => {
      if (!isText(text)) return refuse(answer, `A message has 1 to ${MAX_TEXT_LENGTH} characters.`);
      const receiver = io.sockets.sockets.get(to);
      if (receiver === undefined) return refuse(answer, "This person has left.");
      receiver.emit("private message", { ...origin(), text });
      accept(answer);
    });

    // Old news is no news: it may be dropped where a connection is busy.
    socket.on("typing", (isTyping) => {
      broadcasts += 1;
      socket.volatile
        .to(key(socket.data.room))
        .emit("typing", { ...origin(), isTyping: isTyping === true });
    });

    socket.on("join", (name, answer) => {
      const room = cleanName(name);
      if (room === undefined)
        return refuse(answer, `A room has 1 to ${MAX_NAME_LENGTH} characters.`);
      if (room !== socket.data.room) {
        leave("went to another room");
        enter(room);
      }
      accept(answer, { room });
    });

    socket.on("disconnecting", () => leave("left"));
    socket.on("disconnect", announce);

    function enter(room) {
      socket.data.room = room;
      socket.join(key(room));
      broadcast("notice", `${socket.data.name} came in`);
      announce();
    }

    function leave(how) {
      broadcast("notice", `${socket.data.name} ${how}`);
      socket.leave(key(socket.data.room));
    }

    /** To everybody else in the room. */
    function broadcast(event, content) {
      broadcasts += 1;
      socket.to(key(socket.data.room)).emit(event, content);
      announce();
    }

    function origin() {
      return { from: { id: socket.id, name: socket.data.name } };
    }
  });

  /** Tells everybody who is where, soon. */
  function announce() {
    if (newsTimer !== undefined) return;
    newsTimer = setTimeout(() => {
      newsTimer = undefined;
      io.emit("news", { rooms: listRooms(), people: listPeople(), broadcasts });
    }, NEWS_INTERVAL_MS);
  }

  function listPeople() {
    return Array.from(io.sockets.sockets.values(), ({ id, data }) => ({
      id,
      name: data.name,
      room: data.room,
    }));
  }

  function listRooms() {
    const names = new Set([...STANDING_ROOMS, ...listPeople().map((person) => person.room)]);
    return Array.from(names, (name) => ({
      name,
      count: io.sockets.adapter.rooms.get(key(name))?.size ?? 0,
    }));
  }
}

/** Every socket is alone in the room of its id: with a prefix nobody can join that by its name. */
function key(room) {
  return `chat:${room}`;
}

function cleanName(name) {
  const clean = typeof name === "string" ? name.trim() : "";
  return clean.length > 0 && clean.length <= MAX_NAME_LENGTH ? clean : undefined;
}

function isText(text) {
  return typeof text === "string" && text.trim().length > 0 && text.length <= MAX_TEXT_LENGTH;
}

function accept(answer, content = {}) {
  // Whoever sends an event chooses its arguments: the last need not be an acknowledgement.
  if (typeof answer === "function") answer(content);
}

function refuse(answer, error) {
  accept(answer, { error });
}

module.exports = { MAX_IMAGE_BYTES, openChat };
