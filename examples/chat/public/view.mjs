// How the chat looks: the only file that touches the page. Texts of other people are set as text, never as HTML.

/** Older entries leave the page, and pictures leave the memory. */
const MAX_ENTRIES = 300;
/** Somebody who closes the page while typing never says that it stopped. */
const TYPING_SHOWN_MS = 4_000;
/** Nearer to the end than this counts as being there. */
const END_PIXELS = 60;

const $ = (id) => document.getElementById(id);
let isAtEnd = true;
const typing = new Map(); // Socket id to name and timer.
const shownRows = new Map(); // Id of a list to its rows by key.

export function showState(state, transport) {
  $("status").dataset.state = state === "connected" ? "on" : "waiting";
  $("state").textContent = state;
  $("transport").textContent = transport ?? "";
  $("send").disabled = state !== "connected";
}

export function showRoom(room) {
  $("room").textContent = room;
  document.title = `${room} · sio-rs chat`;
  typing.clear();
  showTypists();
  addNotice(`You are in ${room}`);
}

export function showRooms(rooms, current, onChoose) {
  showList("rooms", rooms, ({ name }) => name, makeRoom, paintRoom);

  function makeRoom({ name }) {
    const [text, count] = [
      element("span", { className: "row-name", textContent: `# ${name}` }),
      element("span", { className: "badge" }),
    ];
    return listRow([text, count], () => onChoose(name));
  }

  function paintRoom(button, { name, count }) {
    if (name === current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    const badge = button.lastElementChild;
    badge.textContent = count;
    badge.setAttribute("aria-label", count === 1 ? "1 person" : `${count} people`);
  }
}

export function showPeople(people, ownId, onChoose) {
  showList("people", people, ({ id, name }) => `${id} ${name}`, makePerson, paintPerson);

  function makePerson(person) {
    const [text, where] = [
      element("span", { className: "row-name", textContent: person.name }),
      element("span", { className: "faint" }),
    ];
    return listRow([avatar(person.name), text, where], () => onChoose(person));
  }

  function paintPerson(button, { id, name, room }) {
    const isMe = id === ownId;
    button.disabled = isMe;
    button.title = isMe ? "" : `Write to ${name} alone`;
    button.lastElementChild.textContent = isMe ? "you" : room;
  }
}

/**
 * Shows `entries` in the list `id`. A row that stays is painted over, not made anew: that would take the focus from
 * whoever is in it, and a click whose button is replaced between press and release is lost.
 */
function showList(id, entries, keyOf, make, paint) {
  const before = shownRows.get(id) ?? new Map();
  const rows = new Map();
  for (const entry of entries) {
    const key = keyOf(entry);
    const row = before.get(key) ?? make(entry);
    paint(row.firstElementChild, entry);
    rows.set(key, row);
  }
  for (const [key, row] of before) if (!rows.has(key)) row.remove();
  // Only what stands in the wrong place is moved: moving, too, would end a press.
  let place = $(id).firstElementChild;
  for (const row of rows.values()) {
    if (row === place) place = place.nextElementSibling;
    else $(id).insertBefore(row, place);
  }
  shownRows.set(id, rows);
}

export function showBroadcasts(count) {
  $("broadcasts").textContent = count.toLocaleString("en");
}

export function showReceiver(person) {
  closeMenu();
  $("private").hidden = person === undefined;
  $("private-name").textContent = person?.name ?? "";
  scrollToEnd();
  $("text").focus();
}

export function showTyping(from, isTyping) {
  clearTimeout(typing.get(from.id)?.timer);
  if (isTyping) {
    const timer = setTimeout(() => showTyping(from, false), TYPING_SHOWN_MS);
    typing.set(from.id, { name: from.name, timer });
  } else {
    typing.delete(from.id);
  }
  showTypists();
}

function showTypists() {
  const names = Array.from(typing.values(), ({ name }) => name);
  const verb = names.length === 1 ? "is" : "are";
  $("typing").textContent = names.length === 0 ? "" : `${names.join(", ")} ${verb} typing…`;
}

export function showProblem(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
  scrollToEnd();
}

/** @returns the entry, for `markSent` */
export function addMessage({ from, text, isOwn = false, isPrivate = false, to }) {
  if (!isOwn) showTyping(from, false);
  const label = isPrivate ? (isOwn ? `only for ${to.name}` : "only for you") : "";
  return addEntry(from, isOwn, label, element("p", { className: "text", textContent: text }));
}

export function addImage({ from, blob, isOwn = false }) {
  const picture = element("img", {
    alt: `Picture from ${from.name}`,
    src: URL.createObjectURL(blob),
  });
  picture.addEventListener("load", scrollToEnd);
  return addEntry(from, isOwn, "", picture);
}

export function addNotice(text) {
  append(element("div", { className: "notice", textContent: text }));
}

export function markSent(entry, error) {
  entry.classList.remove("waiting");
  if (error) {
    entry.classList.add("failed");
    entry.querySelector(".meta").textContent = `not sent: ${error}`;
  }
}

function addEntry(from, isOwn, label, content) {
  const entry = element("div", { className: isOwn ? "entry own waiting" : "entry" });
  const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const meta = element("p", { className: "meta" });
  meta.textContent = [isOwn ? "" : from.name, label, time].filter(Boolean).join(" · ");
  if (label) entry.classList.add("only");
  const bubble = element("div", { className: "bubble" });
  bubble.append(content);
  if (!isOwn) entry.append(avatar(from.name));
  entry.append(meta, bubble);
  append(entry);
  return entry;
}

function append(entry) {
  const log = $("log");
  log.append(entry);
  while (log.children.length > MAX_ENTRIES) {
    const picture = log.firstElementChild.querySelector("img");
    if (picture) URL.revokeObjectURL(picture.src);
    log.firstElementChild.remove();
  }
  scrollToEnd();
}

/** Does nothing for people who have scrolled back to read. */
function scrollToEnd() {
  if (isAtEnd) $("log").scrollTop = $("log").scrollHeight;
}

export function openWelcome(name, problem) {
  $("name").value = name;
  $("refused").textContent = problem ?? "";
  $("refused").hidden = !problem;
  if (!$("welcome").open) $("welcome").showModal();
}

export function closeWelcome() {
  $("welcome").close();
  $("text").focus();
}

export function closeMenu() {
  setMenu(false);
}

function setMenu(isOpen) {
  document.body.classList.toggle("menu-open", isOpen);
  $("menu").setAttribute("aria-expanded", String(isOpen));
}

export const onRename = (listener) => $("rename").addEventListener("click", listener);
export const onWelcomeLeft = (listener) => $("welcome").addEventListener("close", listener);
export const onPrivateEnd = (listener) => $("private-end").addEventListener("click", listener);
export const onTyping = (listener) => $("text").addEventListener("input", listener);

export function onIntroduce(listener) {
  onSubmit($("introduce"), () => listener($("name").value.trim()));
}

export function onNewRoom(listener) {
  onSubmit($("new-room"), () => {
    listener($("new-room-name").value.trim());
    $("new-room-name").value = "";
  });
}

export function onText(listener) {
  onSubmit($("composer"), () => {
    const text = $("text").value;
    if (text.trim() === "" || $("send").disabled) return;
    $("text").value = "";
    $("problem").hidden = true;
    listener(text);
  });
}

export function onImage(listener) {
  $("image").addEventListener("change", () => {
    const [file] = $("image").files;
    $("problem").hidden = true;
    if (file) listener(file);
    $("image").value = ""; // So that the same file can be chosen again.
  });
}

function onSubmit(form, listener) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    listener();
  });
}

$("log").addEventListener("scroll", () => {
  const { scrollHeight, scrollTop, clientHeight } = $("log");
  isAtEnd = scrollHeight - scrollTop - clientHeight < END_PIXELS;
});
$("menu").addEventListener("click", () => setMenu(!document.body.classList.contains("menu-open")));
$("shade").addEventListener("click", closeMenu);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenu());

function avatar(name) {
  const mark = element("span", {
    className: "avatar",
    textContent: [...name][0]?.toUpperCase() ?? "?",
  });
  mark.setAttribute("aria-hidden", "true");
  // The same name has the same colour on every page.
  const hue = [...name].reduce((sum, character) => (sum * 31 + character.codePointAt(0)) % 360, 7);
  mark.style.setProperty("--hue", hue);
  return mark;
}

function listRow(content, onChoose) {
  const button = element("button", { type: "button", className: "row" });
  button.append(...content);
  button.addEventListener("click", onChoose);
  const row = element("li", {});
  row.append(button);
  return row;
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
