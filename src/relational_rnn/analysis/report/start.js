// What is chosen in the section on insides, and the start of the page.

// The line that asks: the one with a question mark, where there is one.
function questionLine(example) {
  const lines = example.question.trim().split("\n");
  return lines.findLast((line) => line.includes("?")) ?? lines.at(-1);
}

function chooseInside() {
  play(false);
  const inside = insideOf(), one = watched();
  const number = inside.shown[inner.example], example = DATA.runs[inner.run].examples[number];
  const blocks = one.attention?.shape[2] ?? 1, heads = one.attention?.shape[3] ?? 1;
  inner.block = Math.min(inner.block, blocks - 1);
  if (inner.head !== "mean" && Number(inner.head) >= heads) inner.head = "mean";
  const layer = one.transformer ? "layer" : "block";
  fill(byId("block"), Array.from({ length: blocks }, (_, n) => [n, `${layer} ${n + 1}`]), inner.block);
  fill(byId("head"), [["mean", "mean of heads"], ...Array.from({ length: heads }, (_, n) => [n, `head ${n + 1}`])], inner.head);
  byId("blocks").hidden = blocks < 2;
  byId("heads").hidden = heads < 2;
  byId("attention").hidden = !one.attention;
  byId("no-attention").hidden = !!one.attention;
  byId("no-attention").textContent = episodeOf()
    ? `Nothing is recorded inside ${labelOf()}.`
    : `${labelOf()} has no attention: its cell state counts as one slot, with an input and a forget gate.`;
  byId("no-gates").hidden = !one.transformer;
  byId("strips").hidden = one.transformer;
  byId("share").textContent = one.words ?? "";
  byId("how").textContent = one.transformer
    ? "A row is a step, at the time when it is read; the columns are the steps that it looks at. The outlined row is the present step."
    : "A row is a slot, a column is what it looks at; the numbers are percent, and each row adds up to 100.";
  const told = example?.told[inner.model];
  byId("asked").textContent = example
    ? `Question: ${questionLine(example)} – right answer: ${example.answer}. ${labelOf()} answers ${told}, which is ${example.right[inner.model] ? "right" : "wrong"}.`
    : "";
  byId("step").max = stepCount() - 1;
  byId("tape").replaceChildren(
    ...Array.from({ length: stepCount() }, (_, n) => {
      const chip = make("span", {}, wordAt(n) || String(inside.first + n + 1));
      chip.addEventListener("click", () => goTo(n));
      return chip;
    }),
  );
  drawInside();
  goTo(inner.step);
}

function drawInside() {
  if (watched().attention && byId("map").clientWidth) drawMap(byId("map").clientWidth);
  if (!watched().transformer && byId("strips").clientWidth) drawStrips(byId("strips").clientWidth);
  if (watched().transformer) byId("strips").replaceChildren();
  if (episodeOf()) drawEpisode(byId("value").clientWidth);
}

function chooseInsideRun(index) {
  inner.run = Number(index);
  const { inside, models } = DATA.runs[inner.run];
  const having = models.filter((model) => model.name in inside.models);
  if (!(inner.model in inside.models)) inner.model = having[0].name;
  inner.example = Math.min(inner.example, inside.shown.length - 1);
  fill(byId("model"), having.map((model) => [model.name, model.label]), inner.model);
  fill(byId("example"), inside.shown.map((number, n) => [n, `example ${number + 1}`]), inner.example);
  chooseInside();
}

function enterExample(index, example) {
  inner.example = example;
  inner.step = 0;
  byId("inside-run").value = index;
  chooseInsideRun(index);
  byId("inside").scrollIntoView();
  byId("step").focus({ preventScroll: true });
}

function startInside() {
  const having = DATA.runs.map((one, n) => [n, one.name]).filter(([n]) => Object.keys(DATA.runs[n].inside.models).length);
  if (!having.length) return;
  const runs = byId("inside-run");
  fill(runs, having);
  runs.addEventListener("change", () => chooseInsideRun(runs.value));
  for (const name of ["model", "example", "block", "head"]) {
    byId(name).addEventListener("change", (event) => {
      inner[name] = ["example", "block"].includes(name) ? Number(event.target.value) : event.target.value;
      if (name === "example" || name === "model") inner.step = Math.min(inner.step, stepCount() - 1);
      chooseInside();
    });
  }
  byId("step").addEventListener("input", (event) => {
    play(false);
    goTo(Number(event.target.value));
  });
  byId("play").addEventListener("click", () => play(!inner.timer));
  byId("inside").addEventListener("keydown", (event) => {
    if (event.key !== " " || ["BUTTON", "SELECT"].includes(event.target.tagName)) return;
    event.preventDefault(); // else the page scrolls
    play(!inner.timer);
  });
  calm.addEventListener("change", () => play(false));
  chooseInsideRun(having[0][0]);
  redrawn(byId("inside-drawings"), () => {
    drawInside();
    goTo(inner.step);
  });
}

// Nothing can be clicked on paper: folded tables are open there.
function startPrint() {
  let folded = [];
  const open = (value) => folded.forEach((one) => (one.open = value));
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:has(table):not([open])")];
    open(true);
  });
  window.addEventListener("afterprint", () => open(false));
}

startTheme();
startScrollHints();
startPrint();
document.querySelectorAll(".curves").forEach((figure) => startCurves(figure, DATA.training ?? DATA.runs[Number(figure.dataset.run)]));
if (byId("examples")) startExamples();
if (byId("inside")) startInside();
