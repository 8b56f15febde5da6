// The test examples one by one: question, right answer, what each model answers, and who is wrong where.

const state = { run: 0, shown: [], at: 0 };

const rightOnes = (example) => Object.values(example.right).filter(Boolean).length;

// What the second filter offers: [value, words, test of an example].
function outcomes(models) {
  const all = (example) => rightOnes(example) === models.length;
  const none = (example) => rightOnes(example) === 0;
  const found = [["all", "all examples", () => true]];
  for (const { name, label } of models) found.push([`wrong ${name}`, `${label} is wrong`, (e) => !e.right[name]]);
  if (models.length < 2) return found;
  for (const { name, label } of models) {
    found.push([`only ${name}`, `only ${label} is right`, (e) => e.right[name] && rightOnes(e) === 1]);
  }
  found.push(["differ", "the models differ", (e) => !all(e) && !none(e)], ["none", "everyone is wrong", none]);
  return found;
}

const run = () => DATA.runs[state.run];
const answering = () => run().models.filter((model) => run().examples.some((example) => model.name in example.told));

function filterExamples() {
  const kind = byId("kind").value, wanted = byId("who").value;
  const test = outcomes(answering()).find(([value]) => value === wanted)[2];
  const numbers = run().examples.map((_, n) => n);
  state.shown = numbers.filter((n) => (kind === "all" || run().examples[n].kind === kind) && test(run().examples[n]));
  const marks = state.shown.map((n) => exampleMark(run().examples[n], n));
  byId("marks").replaceChildren(...marks);
  byId("none").hidden = state.shown.length > 0;
  byId("one").hidden = !state.shown.length;
  if (state.shown.length) showExample(clamp(state.at, 0, state.shown.length - 1));
}

// One column of the overview: a square a model, filled with a tick where it is right.
function exampleMark(example, number) {
  const models = answering();
  const words = models.map((model) => `${model.label} ${example.right[model.name] ? "right" : "wrong"}`).join(", ");
  const button = make("button", { "aria-label": `Example ${number + 1}: ${words}`, title: words, tabindex: "-1" });
  for (const model of models) {
    const right = example.right[model.name];
    button.append(make("i", right ? {} : { class: "no" }, right ? "✓" : "✗"));
  }
  button.addEventListener("click", () => showExample(state.shown.indexOf(number)));
  return button;
}

function showExample(at) {
  state.at = at;
  const number = state.shown[at], example = run().examples[number];
  [...byId("marks").children].forEach((button, n) => {
    button.setAttribute("aria-current", n === at);
    button.tabIndex = n === at ? 0 : -1; // one stop for the tab key, arrows inside
  });
  byId("where").textContent = `Example ${number + 1}, ${at + 1} of ${state.shown.length}${example.kind ? `; kind: ${example.kind}` : ""}`;
  byId("question").textContent = example.question;
  byId("answer").textContent = example.answer;
  byId("told").innerHTML = answering()
    .map(({ name, label, ...look }) => {
      const right = example.right[name];
      return `<tr><th scope="row">${markAlone(look)}${escaped(label)}</th><td>${escaped(example.told[name])}</td><td class="${right ? "yes" : "no"}">${right ? "✓ right" : "✗ wrong"}</td></tr>`;
    })
    .join("");
  byId("before").disabled = at === 0;
  byId("after").disabled = at === state.shown.length - 1;
  const inside = run().inside.shown.indexOf(number);
  byId("enter").hidden = inside < 0;
  byId("enter").onclick = () => enterExample(state.run, inside);
}

function chooseRun(index) {
  state.run = Number(index);
  state.at = 0;
  const kinds = [...new Set(run().examples.map((example) => example.kind).filter((kind) => kind !== null))];
  byId("kinds").hidden = kinds.length < 2;
  fill(byId("kind"), [["all", "all kinds"], ...kinds.map((kind) => [kind, kind])]);
  const count = (test) => run().examples.filter(test).length;
  fill(byId("who"), outcomes(answering()).map(([value, words, test]) => [value, `${words} (${count(test)})`]));
  byId("order").textContent = answering().map((model) => model.label).join(", ");
  filterExamples();
}

function startExamples() {
  const runs = byId("examples-run");
  const having = DATA.runs.map((one, n) => [n, one.name]).filter(([n]) => DATA.runs[n].examples.length);
  if (!having.length) return;
  fill(runs, having);
  runs.addEventListener("change", () => chooseRun(runs.value));
  byId("kind").addEventListener("change", filterExamples);
  byId("who").addEventListener("change", filterExamples);
  byId("before").addEventListener("click", () => showExample(state.at - 1));
  byId("after").addEventListener("click", () => showExample(state.at + 1));
  byId("marks").addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    showExample(clamp(state.at + move, 0, state.shown.length - 1));
    byId("marks").children[state.at].focus();
  });
  chooseRun(having[0][0]);
}
