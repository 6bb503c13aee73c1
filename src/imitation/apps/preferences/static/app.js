// The labeling page: shows a pair, takes the answer, shows the next.
//
// An answer is first put into this browser's storage, then sent until the server has
// acknowledged it, and only then the next pair shows. So neither a killed server nor a
// closed page loses one, and its key keeps the server from storing it twice.

import { Refused, connect, newKey } from "./connection.js";
import { choiceName, showState } from "./panels.js";
import { Player } from "./player.js";

const AHEAD = 3; // pairs whose clips are loaded
const POLL = 2000; // milliseconds between questions for pairs while there are none
const RENEW = 120000; // milliseconds between renewals of the lease

const $ = (id) => document.getElementById(id);
const server = connect(showTrouble);
const clips = new Map(); // pair -> promise of two object URLs
let labeler = "";
let queue = ""; // tells this run's queue from others that this browser has seen
let current = null; // the pair on the screen
let latest = null; // the number of the labeler's latest verdict
let busy = true;
let polling = null;

const player = new Player(
  [$("card-first"), $("card-second")],
  $("timeline"),
  (speed) => { $("speed").textContent = `${{ 0.25: "¼", 0.5: "½" }[speed] ?? speed}×`; },
);

// ---- Asking for pairs and showing them

async function next() {
  clearTimeout(polling);
  const { pairs } = await server.post("/api/lease", { labeler, n: AHEAD });
  const wanted = pairs.map(({ pair }) => pair);
  forgetClips(wanted);
  wanted.forEach(load);
  await refresh();
  if (wanted.length) showPair(wanted[0], await load(wanted[0]));
  else showWaiting();
}

function load(pair) {
  if (!clips.has(pair)) {
    const sides = ["first", "second"].map((side) => loadClip(`/clips/${pair}/${side}`));
    clips.set(pair, Promise.all(sides));
  }
  return clips.get(pair);
}

async function loadClip(path) {
  try {
    return URL.createObjectURL(await server.clip(path));
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

function forgetClips(wanted) {
  for (const [pair, loading] of clips) {
    if (wanted.includes(pair)) continue;
    clips.delete(pair);
    loading.then((urls) => urls.filter(Boolean).forEach(URL.revokeObjectURL), () => {});
  }
}

function showPair(pair, urls) {
  current = pair;
  $("pair-name").textContent = `Pair ${pair}`;
  $("waiting").hidden = true;
  $("stage").hidden = false;
  mark(null);
  player.show(urls);
  setBusy(false);
}

function showWaiting() {
  current = null;
  player.stop();
  $("pair-name").textContent = "";
  $("stage").hidden = true;
  $("waiting").hidden = false;
  setBusy(false);
  polling = setTimeout(() => guarded(next), POLL);
}

// ---- Answering

async function choose(choice) {
  if (busy || current === null) return;
  setBusy(true);
  mark(choice);
  const decision = { pair: current, labeler, choice, key: newKey() };
  localStorage.setItem("unsent", JSON.stringify({ queue, decision }));
  await send(decision);
  await next();
}

async function send(decision) {
  try {
    const { pair, choice } = await server.post("/api/answers", decision);
    say(`Pair ${pair}: ${choiceName(choice).toLowerCase()}. Saved.`);
  } catch (error) {
    if (!(error instanceof Refused) || error.status === 401) throw error;
    say(`Not stored: ${error.message}.`, true);
  }
  localStorage.removeItem("unsent");
}

// What a page that was closed, or a server that was killed, has left behind.
async function sendUnsent() {
  const unsent = JSON.parse(localStorage.getItem("unsent"));
  if (unsent?.queue === queue) {
    // A page of an earlier release has stored the name under another key.
    const { labeller, ...decision } = unsent.decision;
    await send(labeller ? { labeler: labeller, ...decision } : decision);
  } else localStorage.removeItem("unsent");
}

async function undo(verdict) {
  if (busy) return;
  if (verdict === null) {
    say("There is nothing to undo.");
    return;
  }
  setBusy(true);
  try {
    const { pair } = await server.post("/api/undo", { labeler, verdict });
    say(`Pair ${pair} is back; what you said about it does not count.`);
  } catch (error) {
    if (!(error instanceof Refused) || error.status === 401) throw error;
    say(`Not undone: ${error.message}.`, true);
  }
  await next();
}

// ---- What else is on the page

async function refresh() {
  const path = `/api/state?labeler=${encodeURIComponent(labeler)}`;
  const state = await server.get(path);
  latest = state.history[0]?.verdict ?? null;
  showState(state, labeler, (verdict) => act(() => undo(verdict.verdict)));
  $("undo").disabled = $("undo-waiting").disabled = latest === null;
  const elsewhere = state.pending > 0;
  $("waiting-title").textContent = elsewhere ? "Nothing for you right now" : "All caught up";
  $("waiting-text").textContent = elsewhere
    ? "Other people have the pairs that are left. New ones appear here by themselves."
    : "New pairs appear here by themselves as soon as the training run asks.";
}

function mark(choice) {
  $("card-first").classList.toggle("chosen", choice === "first" || choice === "equal");
  $("card-second").classList.toggle("chosen", choice === "second" || choice === "equal");
  $("card-first").classList.toggle("passed", choice === "second" || choice === "skip");
  $("card-second").classList.toggle("passed", choice === "first" || choice === "skip");
}

function setBusy(value) {
  busy = value;
  document.body.dataset.busy = value;
}

function say(text, trouble = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("trouble", trouble);
}

function showTrouble(trouble) {
  if (trouble) say("The app does not answer; trying again. Your last answer is kept.", true);
  else if (document.body.dataset.trouble === "true") say("The app is back.");
  document.body.dataset.trouble = trouble;
}

// Runs an action and says what went wrong with it.
async function guarded(action) {
  try {
    await action();
  } catch (error) {
    player.stop();
    say(
      error instanceof Refused && error.status === 401
        ? "This page's link has expired; open the link that imitation label prints."
        : `Something went wrong: ${error.message}. Reload the page to go on.`,
      true,
    );
  }
}

const act = (action) => guarded(action);

// ---- Names

function askName() {
  return new Promise((resolve) => {
    const dialog = $("name-dialog");
    $("name").value = labeler;
    dialog.showModal();
    $("name").select();
    dialog.addEventListener("close", () => resolve($("name").value.trim()), { once: true });
  });
}

async function setName(ask, proposed) {
  let name = ask ? "" : localStorage.getItem("name") || proposed;
  while (!name) name = (await askName()) || (ask ? labeler : "");
  labeler = name.normalize("NFC").replace(/\s+/g, " ");
  localStorage.setItem("name", labeler);
  $("who").textContent = `Labeling as ${labeler}`;
}

async function rename() {
  if (busy) return;
  setBusy(true);
  await setName(true, labeler);
  await next();
}

// ---- Start

const ACTIONS = {
  first: () => choose("first"),
  second: () => choose("second"),
  equal: () => choose("equal"),
  skip: () => choose("skip"),
  undo: () => undo(latest),
  "undo-waiting": () => undo(latest),
  replay: () => player.replay(),
  slower: () => player.changeSpeed(-1),
  faster: () => player.changeSpeed(1),
  rename,
};

const KEYS = {
  ArrowLeft: "first",
  ArrowRight: "second",
  ArrowDown: "equal",
  s: "skip",
  u: "undo",
  " ": "replay",
  "-": "slower",
  "+": "faster",
  "=": "faster",
};

for (const [id, action] of Object.entries(ACTIONS)) {
  $(id).addEventListener("click", () => act(action));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("name-dialog").open) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "?") {
    $("help").open = !$("help").open;
    return;
  }
  if (!(key in KEYS)) return;
  event.preventDefault(); // no scrolling, no click on the button that has the focus
  if (!event.repeat) act(ACTIONS[KEYS[key]]);
});

// A page that nobody looks at lets its pairs go; one that is looked at keeps them.
setInterval(() => {
  if (!document.hidden && current !== null && !busy) {
    server.post("/api/lease", { labeler, n: AHEAD }).catch(() => {});
  }
}, RENEW);

guarded(async () => {
  const session = await server.get("/api/session");
  queue = session.queue;
  $("question").textContent = session.question;
  document.title = `${session.question} · imitation`;
  await setName(false, session.labeler);
  await sendUnsent();
  await next();
});
