// The operations of one step, in order; each says its formula, its shapes and, in numbers.js, its numbers.

const PLANE_WORDS = {
  input: "u = [ x, y | letter | reference | n ]", answers: "letters", showInput, showAnswer,
  inputWhy: "All that the model gets in this step: where one point is, its letter, and the question. The question " +
    "is repeated at every step; the other points are not.",
  mlpWhy: "A small network works on each row by itself: here two places can become a distance.",
  answerWhy: "The head reads the slots and scores the letters. It was trained on the last step only.",
};

function operations(core, words) {
  const { config, width: D, slots: N } = core;
  const { num_heads: H, num_blocks: B, head_size: V, input_size: F } = config;
  const K = core.key;
  const norm = (text) => (config.use_layer_norm ? `LN(${text})` : text);
  const rows = core.appended ? N + 1 : N;
  const found = [
    { key: "input", name: "input", formula: words.input, shape: `u: ${F}`, why: words.inputWhy, show: words.showInput },
    { key: "project", name: "project", formula: "x = W<sub>in</sub> u + b", shape: `${F} \u2192 ${D}`,
      why: "The input becomes as wide as a slot, so that it can stand beside the slots as one more row.",
      show: showProjection },
  ];
  for (let b = 0; b < B; b++) {
    const last = b === B - 1;
    const round = B > 1 ? ` ${b + 1}` : "";
    const queries = last || !core.appended ? N : N + 1;
    const row = core.appended ? "r" : "[m ; x]";
    if (config.use_attention) {
      found.push(
        { key: `qkv${b}`, name: `q, k, v${round}`, formula: `q, k, v = ${norm(`W ${row} + b`)}`,
          shape: `${rows} rows of ${core.appended ? D : 2 * D} \u2192 ${rows} \u00d7 ${H} heads \u00d7 (${K} + ${K} + ${V})`,
          why: "Every row, slots and input alike, says what it looks for (query), what it can be found by (key) " +
            "and what it gives (value).", show: (...all) => showProjections(b, ...all) },
        { key: `attention${b}`, name: `attention${round}`, formula: `A = softmax( q k<sup>T</sup> / \u221a${K} ),&ensp; a = A v`,
          shape: `${H} heads \u00d7 ${queries} \u00d7 ${rows}`,
          why: "Each slot compares its query with every key and takes the values in these shares. This is where " +
            "what is stored meets what has just come, and slots meet each other.",
          show: (...all) => showAttention(b, ...all) });
    } else {
      found.push({ key: `attention${b}`, name: `mean${round}`, formula: `a = mean of ${norm(`W ${row} + b`)} over all rows`,
        shape: `${rows} rows \u2192 1 row`, why: "This model has its attention switched off: every slot takes the mean " +
          "of all rows.", show: (...all) => showMixed(b, ...all) });
    }
    found.push({ key: `add${b}`, name: `add${config.use_layer_norm ? " & norm" : ""}${round}`,
      formula: `c = ${norm(config.use_residual ? "m + a" : "a")}`, shape: `${queries} \u00d7 ${D}`,
      why: `What attention brought is ${config.use_residual ? "added to" : "put in place of"} what the slot held` +
        `${config.use_layer_norm ? ", and each row is brought to one scale" : ""}.`, show: (...all) => showAdded(b, ...all) });
    if (config.use_mlp) {
      found.push({ key: `mlp${b}`, name: `MLP${round}`,
        formula: `new = ${norm(config.use_residual ? "c + MLP(c)" : "MLP(c)")}`,
        shape: `${queries} \u00d7 ${D}, ${config.attention_mlp_layers} layers, the same for every row`,
        why: words.mlpWhy,
        show: (...all) => showMLP(b, ...all) });
    }
  }
  if (core.gated) {
    const G = config.gate_style === "unit" ? D : 1;
    found.push(
      { key: "gates", name: "gates", formula: `i = \u03c3( U<sub>i</sub> x + W<sub>i</sub> tanh(m) + ${config.input_bias} ),&ensp; ` +
        `f = \u03c3( U<sub>f</sub> x + W<sub>f</sub> tanh(m) + ${config.forget_bias} )`, shape: `2 \u00d7 ${N} \u00d7 ${G}`,
        why: "Two numbers from 0 to 1, " + (G > 1 ? "for every number of every slot" : "for every slot") +
          ": how much of the new to let in, how much of the old to keep.", show: showGates },
      { key: "memory", name: "new memory", formula: "m' = i \u2299 tanh(new) + f \u2299 m", shape: `${N} \u00d7 ${D}`,
        why: "Old and new are blended. Where f is near 1 and i near 0, a slot keeps what it has.", show: showMemory });
  } else {
    found.push({ key: "memory", name: "new memory", formula: "m' = new", shape: `${N} \u00d7 ${D}`,
      why: "This model has no gates: what attention and MLP made is the memory.", show: showMemory });
  }
  found.push({ key: "answer", name: "answer", formula: "p = softmax( MLP( read(m') ) )",
    shape: `${N} \u00d7 ${D} \u2192 ${core.params["head.0.weight"].shape[1]} \u2192 ${core.head.layers} layers \u2192 ` +
      `${core.params[`head.${core.head.layers - 1}.bias`].shape[0]} ${words.answers}`,
    why: words.answerWhy, show: words.showAnswer });
  return found;
}

// The row of operations as buttons, and below it the one that is open.
class Operations {
  constructor(core, words, redraw, look) {
    this.core = core;
    this.list = operations(core, words);
    this.open = null;
    this.redraw = redraw;
    this.slot = select(Array.from({ length: core.slots }, (_, n) => [n, slotName(n)]), 0, look, "Slot whose numbers are shown");
    this.chooser = html("label", { class: "chooser" }, "numbers of ", this.slot);
    this.panel = html("div", { class: "panel", id: `panel-${Operations.count = (Operations.count ?? 0) + 1}` });
    this.buttons = this.list.map((one) => button(one.name, () => this.toggle(one.key),
      { "data-operation": one.key, "aria-expanded": "false", "aria-controls": this.panel.id }));
    this.element = html("div", { class: "operations" },
      html("div", { class: "pipeline", role: "group", "aria-label": "Operations of a step" }, this.buttons), this.chooser, this.panel);
  }

  toggle(key) {
    this.open = this.open === key ? null : key;
    this.redraw();
  }

  draw(step, slot, question) {
    this.buttons.forEach((one) => one.setAttribute("aria-expanded", String(one.dataset.operation === this.open)));
    const one = this.list.find(({ key }) => key === this.open);
    this.panel.hidden = this.chooser.hidden = !one;
    this.slot.value = slot;
    if (!one) return;
    const formula = html("p", { class: "formula" });
    formula.innerHTML = one.formula; // of this file alone
    this.panel.replaceChildren(html("h4", {}, one.name), html("p", {}, one.why), formula,
      html("p", { class: "shape" }, `shape: ${one.shape}`), ...one.show(this.core, step, slot, question));
  }
}
