// Shows how the labeling goes: numbers, the latest answers, everybody.

const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 44rem)");

const share = ({ agree, of }) => (of ? `${Math.round((100 * agree) / of)}%` : "–");
const times = ({ agree, of }, none) => (of ? `${agree} of ${of}` : none);
const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;

export function choiceName(choice) {
  const [first, second] = narrow.matches ? ["Top", "Bottom"] : ["Left", "Right"];
  return { first, second, equal: "Equal", skip: "Skipped" }[choice];
}

export function showState(state, labeler, onChange) {
  const me = state.labelers.find(({ name }) => name === labeler)
    ?? { labels: 0, skips: 0, model: { agree: 0, of: 0 }, others: { agree: 0, of: 0 } };
  showProgress(state);
  $("mine").textContent = me.labels;
  $("mine-more").textContent = me.skips ? `and ${me.skips} skipped` : "none skipped";
  $("model").textContent = share(me.model);
  $("model-more").textContent = times(me.model, "nothing to compare yet");
  $("others").textContent = share(me.others);
  $("others-more").textContent = times(me.others, "no pair in common");
  showHistory(state.history, onChange);
  showEverybody(state);
}

function showProgress({ pairs, pending }) {
  const done = pairs - pending;
  $("progress").setAttribute("aria-valuemax", pairs);
  $("progress").setAttribute("aria-valuenow", done);
  $("progress-fill").style.width = `${pairs ? (100 * done) / pairs : 0}%`;
  $("progress-text").textContent = `${done} of ${plural(pairs, "pair", "pairs")} done`;
}

function showHistory(history, onChange) {
  $("history-empty").hidden = history.length > 0;
  $("history").replaceChildren(...history.map((verdict) => {
    const row = document.createElement("li");
    const change = element("button", "Change", "plain");
    change.type = "button";
    change.setAttribute("aria-label", `Change the answer about pair ${verdict.pair}`);
    change.addEventListener("click", () => onChange(verdict));
    const when = element("time", ago(verdict.time));
    when.dateTime = new Date(1000 * verdict.time).toISOString();
    row.append(
      element("span", `Pair ${verdict.pair}`),
      element("span", choiceName(verdict.choice), `choice ${verdict.choice}`),
      when,
      change,
    );
    return row;
  }));
}

function showEverybody({ labelers, people, alpha, model }) {
  $("everybody").replaceChildren(...labelers.map((one) => {
    const row = document.createElement("tr");
    const name = element("th", one.name);
    name.scope = "row";
    row.append(
      name,
      element("td", one.labels, "number"),
      element("td", one.skips, "number"),
      element("td", share(one.model), "number"),
      element("td", share(one.others), "number"),
      element("td", ago(one.latest)),
    );
    return row;
  }));
  const parts = [];
  if (model.of) {
    parts.push(`The last ${plural(model.of, "comparable answer agrees", "comparable answers agree")} with the reward model ${share(model)} of the time.`);
  }
  if (people.of) parts.push(`People agree with each other in ${times(people)} cases (${share(people)}).`);
  if (alpha !== null) parts.push(`Krippendorff's α is ${alpha.toFixed(2)}.`);
  $("everybody-more").textContent = parts.join(" ");
}

function element(kind, text, className = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = className;
  return made;
}

function ago(time) {
  const seconds = Math.max(0, Date.now() / 1000 - time);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(1000 * time).toLocaleDateString();
}
