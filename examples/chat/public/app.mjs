// The page's half of the chat: one socket, what it sends and what it does with what it receives.
// How things look is in view.mjs.

import * as view from "/view.mjs";

const ANSWER_LIMIT_MS = 5_000;
/** As on the server, which would refuse more. */
const MAX_IMAGE_BYTES = 1_024 * 1_024;
/** "Is typing" is told again at most this often, and taken back after this long without a key. */
const TYPING_INTERVAL_MS = 2_000;

const me = { name: localStorage.getItem("name") ?? "", room: roomOfAddress() };
let receiver; // Whom the next message is for, if not for the room.
let typingUntil = 0;
let typingTimer;

const socket = window.io({
  autoConnect: false,
  reconnectionDelayMax: 3_000,
  // Asked for at every connect: after a restart the server hears again who we are and where.
  auth: (tell) => tell({ name: me.name, room: me.room }),
});

socket.on("connect", () => {
  view.closeWelcome();
  view.showState("connected", socket.io.engine.transport.name);
  socket.io.engine.on("upgrade", (transport) => view.showState("connected", transport.name));
});
socket.on("disconnect", (reason) => {
  const isOurs = reason === "io client disconnect";
  view.showState(isOurs ? "connecting" : "reconnecting");
  if (!isOurs) view.addNotice("The connection is lost, trying again…");
});
socket.on("connect_error", (error) => {
  // An active socket tries again by itself; else the server has said no.
  if (socket.active) view.showState("reconnecting");
  else view.openWelcome(me.name, error.message);
});

socket.on("message", ({ from, text }) => view.addMessage({ from, text }));
socket.on("private message", ({ from, text }) => view.addMessage({ from, text, isPrivate: true }));
socket.on("image", ({ from, type, bytes }) =>
  view.addImage({ from, blob: new Blob([bytes], { type }) }),
);
socket.on("notice", view.addNotice);
socket.on("typing", ({ from, isTyping }) => view.showTyping(from, isTyping));
socket.on("news", ({ rooms, people, broadcasts }) => {
  view.showRooms(rooms, me.room, join);
  view.showPeople(people, socket.id, writeTo);
  view.showBroadcasts(broadcasts);
});

view.onIntroduce((name) => {
  me.name = name;
  localStorage.setItem("name", name);
  socket.disconnect().connect();
});
view.onRename(() => view.openWelcome(me.name));
view.onWelcomeLeft(() => me.name || view.openWelcome(""));
view.onNewRoom(join);
view.onPrivateEnd(() => writeTo(undefined));
view.onText(sendText);
view.onImage(sendImage);
view.onTyping(tellTyping);
window.addEventListener("hashchange", () => join(roomOfAddress()));

view.addNotice("Open this page in another window, or on a phone, and talk");
view.showRoom(me.room);
if (me.name) socket.connect();
else view.openWelcome("");

async function sendText(text) {
  stopTyping();
  const to = receiver;
  const entry = view.addMessage({ from: me, text, isPrivate: to !== undefined, isOwn: true, to });
  await deliver(entry, to ? ["private message", to.id, text] : ["message", text]);
}

async function sendImage(file) {
  if (file.size > MAX_IMAGE_BYTES) {
    const megabytes = (file.size / MAX_IMAGE_BYTES).toFixed(1);
    return view.showProblem(`This picture has ${megabytes} MB; at most 1 MB can be sent.`);
  }
  const entry = view.addImage({ from: me, blob: file, isOwn: true });
  await deliver(entry, ["image", { type: file.type, bytes: await file.arrayBuffer() }]);
}

/** Shows what became of a message: the server answers each. */
async function deliver(entry, event) {
  const answer = await ask(...event);
  view.markSent(entry, answer.error);
}

async function join(room) {
  view.closeMenu();
  if (room === me.room) return;
  const answer = await ask("join", room);
  if (answer.error) return view.showProblem(answer.error);
  me.room = answer.room;
  location.hash = new URLSearchParams({ room: me.room });
  view.showRoom(me.room);
}

async function ask(...event) {
  try {
    return await socket.timeout(ANSWER_LIMIT_MS).emitWithAck(...event);
  } catch {
    return { error: "The server did not answer." };
  }
}

function writeTo(person) {
  receiver = person;
  view.showReceiver(person);
}

function tellTyping() {
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_INTERVAL_MS);
  // What is written to one person is nothing to the room.
  if (receiver !== undefined || Date.now() < typingUntil) return;
  typingUntil = Date.now() + TYPING_INTERVAL_MS;
  socket.volatile.emit("typing", true);
}

function stopTyping() {
  clearTimeout(typingTimer);
  if (typingUntil === 0) return;
  typingUntil = 0;
  socket.volatile.emit("typing", false);
}

function roomOfAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("room") || "lobby";
}
