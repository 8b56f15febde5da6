// The numbers of each operation, for the slot that is looked at.

const rowNames = (core, count) =>
  Array.from({ length: count }, (_, n) => (n < core.slots ? slotName(n) : "input"));
const most = (rows) => Math.max(1e-9, ...rows.flatMap((row) => [...row].map(Math.abs)));
const inFull = (values, count = 6) => `[${[...values].slice(0, count).map(number).join(", ")}${values.length > count ? ", \u2026" : ""}]`;

// Rows of numbers, one strip each, on one scale.
function strips(rows, names, marked = -1) {
  const scale = most(rows);
  return html("div", { class: "strips" }, rows.map((row, n) => html("div", { class: n === marked ? "marked" : null },
    html("span", {}, names[n]), strip(row, scale, names[n]))));
}

const worked = (...text) => html("p", { class: "worked" }, ...text);

function showInput(core, step, slot, question) {
  const N = question.points.length;
  const label = step.input.slice(2, 2 + N).indexOf(1);
  const parts = [["x, y", 0, 2], [`letter: ${LETTERS[label]}`, 2, 2 + N],
    [`reference: ${LETTERS[question.reference]}`, 2 + N, 2 + 2 * N], [`n: ${rankName(question.n, N)}`, 2 + 2 * N, 2 + 3 * N]];
  return [html("table", { class: "plain" }, html("tbody", {}, parts.map(([name, from, to]) => html("tr", {},
    html("th", { scope: "row" }, name),
    html("td", {}, [...step.input.slice(from, to)].map((value) => (from ? value : number(value))).join("  "))))))];
}

function showProjection(core, step) {
  return [strips([step.input, step.x], ["u", "x"]), worked(`x = ${inFull(step.x)}`)];
}

function showProjections(b, core, step, slot) {
  const { heads, rows } = step.blocks[b];
  const names = rowNames(core, rows.length);
  return heads.map(({ q, k, v }, h) => html("div", { class: "head" }, html("h5", {}, `head ${h + 1}`),
    strips([q[slot], k[slot], v[slot]], [`q of ${names[slot]}`, `k of ${names[slot]}`, `v of ${names[slot]}`]),
    core.appended ? strips([k.at(-1), v.at(-1)], ["k of the input", "v of the input"]) : ""));
}

function showAttention(b, core, step, slot) {
  const { heads, rows } = step.blocks[b];
  const names = rowNames(core, rows.length);
  const root = Math.sqrt(core.key);
  return heads.map(({ q, k, scores, weights }, h) => {
    const top = weights[slot].indexOf(Math.max(...weights[slot]));
    return html("div", { class: "head" }, html("h5", {}, `head ${h + 1}`),
      heat([scores[slot]], [slotName(slot)], names, { most: most([scores[slot]]), show: number, caption: "q k / \u221aK" }),
      heat([weights[slot]], [slotName(slot)], names, { caption: "after softmax: shares that add up to 1" }),
      worked(`${names[slot]} \u2192 ${names[top]}: q\u00b7k = ${number(dot(q[slot], k[top]))}, divided by ${number(root)} gives ` +
        `${number(scores[slot][top])}, and softmax makes it ${percent(weights[slot][top], 1)}.`));
  });
}

function showMixed(b, core, step) {
  return [strips([step.blocks[b].attended[0]], ["mean"])];
}

function showAdded(b, core, step, slot) {
  const { rows, attended, compared } = step.blocks[b];
  return [strips([rows[slot], attended[slot], compared[slot]], [`${slotName(slot)} before`, "from attention", "together"]),
    worked(`First number: ${number(rows[slot][0])} and ${number(attended[slot][0])} become ${number(compared[slot][0])}.`)];
}

function showMLP(b, core, step, slot) {
  const { compared, hidden, after } = step.blocks[b];
  return [strips([compared[slot], hidden[slot], after[slot]], ["in", "MLP(in)", "out"]),
    worked(`First number: ${number(compared[slot][0])} in, ${number(hidden[slot][0])} from the MLP, ${number(after[slot][0])} out.`)];
}

function showGates(core, step, slot) {
  const [i, f] = [step.inputGate[slot], step.forgetGate[slot]];
  return [strips([i, f], [`i of ${slotName(slot)}`, `f of ${slotName(slot)}`]),
    worked(`On average ${slotName(slot)} lets in ${percent(mean(i))} of the new and keeps ${percent(mean(f))} of the old.`)];
}

function showMemory(core, step, slot) {
  const [old, fresh, after] = [step.before[slot], step.candidate[slot], step.after[slot]];
  const found = [strips([old, fresh, after], ["m before", core.gated ? "tanh(new)" : "new", "m after"])];
  if (!core.gated) return found;
  const [i, f] = [step.inputGate[slot][0], step.forgetGate[slot][0]];
  return [...found, worked(`First number of ${slotName(slot)}: ${number(i)} \u00d7 ${number(fresh[0])} + ${number(f)} \u00d7 ` +
    `${number(old[0])} = ${number(after[0])}.`)];
}

function showAnswer(core, step) {
  const { scores, shares } = step.answer;
  const names = [...scores].map((_, label) => LETTERS[label]);
  return [heat([scores], ["score"], names, { most: most([scores]), show: number }),
    heat([shares], ["share"], names, { caption: "after softmax" })];
}
