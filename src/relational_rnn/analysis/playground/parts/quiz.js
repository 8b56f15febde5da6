// Questions with answers that say why; where an answer has a number, it is this model's. Those that this model
// does not answer so, for want of attention, of slots or of training, are left out.

function quizQuestions({ data, core, count }) {
  const rows = core.appended ? core.slots + 1 : core.slots;
  const { score } = data;
  const attends = core.config.use_attention && core.appended;
  return [
    { ask: "The ringed point comes last. What must the memory hold until then?",
      choices: ["the distances of all points", "the places of all points", "only the farthest point so far"], right: 1,
      why: "A distance needs both ends. Until the reference has come nothing can be compared, so whole places have to be " +
        "kept; afterwards distances are enough. Press the chips of the order and watch the crosses turn into circles." },
    attends && { ask: "What does one slot take from in one step?",
      choices: ["from the input alone", "from the input and the slot itself", "from the input and all slots"], right: 2,
      why: `Each slot looks at all ${core.slots} slots and the input. That is what sets this core apart from an LSTM, whose ` +
        "memory is one vector." },
    attends && core.slots > 1 && { ask: `How many attention weights does one head have in a step?`,
      choices: [String(core.slots), String(core.slots * rows), String(rows * rows * 2)], right: 1,
      why: `${core.slots} slots look at ${rows} rows each: ${core.slots} \u00d7 ${rows} = ${core.slots * rows} weights, and each row of ` +
        "them adds up to 1." },
    { ask: `Someone's model has ${percent(score.trivial, 1)} right. What has it learned about distances?`,
      choices: ["nothing", "to find the farthest point", "about half of it"], right: 0,
      why: `The rank \u201cnearest (itself)\u201d asks for the reference, whose letter is in the question: 1 of ${count} answers for ` +
        `free. A guess among the other ${count - 1} is right in 1 of ${count - 1}. Together 2/${count} = ${percent(score.trivial, 1)}.` },
    score.closest < score.others - 0.05 && { ask: "Which questions does the model get wrong most often?",
      choices: ["those whose reference comes last", "close calls: two distances nearly equal", "those for the farthest point"], right: 1,
      why: `Of the tenth of the questions with the closest calls it has ${percent(score.closest)} right, of the others ` +
        `${percent(score.others)}.` + (score.one_rank_off === null ? "" : ` ${percent(score.one_rank_off)} of its mistakes name a ` +
        "neighbour in order.") },
  ].filter(Boolean);
}

const asked = (count) => (count === 1 ? "One question" : `${["Two", "Three", "Four", "Five"][count - 2]} questions`);

function quiz(scene) {
  let right = 0;
  let answered = 0;
  const total = html("p", { class: "total", role: "status", "aria-live": "polite" });
  const questions = scene.quiz();
  const made = questions.map((one, q) => {
    const why = html("p", { class: "why", role: "status", "aria-live": "polite" });
    const choices = one.choices.map((text, c) => button(text, () => {
      if (why.textContent) return;
      answered += 1;
      right += c === one.right;
      choices.forEach((other, o) => {
        other.classList.add(o === one.right ? "rightanswer" : o === c ? "wronganswer" : "other");
        other.setAttribute("aria-disabled", "true");
      });
      choices[one.right].prepend("\u2713 ");
      if (c !== one.right) choices[c].prepend("\u2717 ");
      why.textContent = `${c === one.right ? "Right." : "No."} ${one.why}`;
      total.textContent = `${right} of ${answered} right${answered < questions.length ? `, ${questions.length - answered} to go` : ""}.`;
    }));
    return html("li", {}, html("h3", {}, one.ask), html("div", { class: "choices" }, choices), why);
  });
  return html("section", { class: "quiz", "aria-label": "Quiz" }, html("h2", { tabindex: -1 }, `${asked(questions.length)} with answers`),
    html("ol", {}, made), total);
}
