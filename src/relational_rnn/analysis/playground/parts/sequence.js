// The order in which points come: chips to press, play, one step back and forth, a slider.

class Sequence {
  // `go(step)` is called with a step from 1 to the number of points.
  constructor(count, go, name = "Order in which the points come") {
    this.count = count;
    this.go = go;
    this.timer = null;
    this.chips = html("ol", { class: "order", "aria-label": name });
    this.slider = html("input", { type: "range", min: 1, max: count, step: 1, "aria-label": "Step",
      oninput: () => this.jump(Number(this.slider.value)) });
    this.back = button("\u2039 back", () => this.jump(this.step - 1), { class: "back" });
    this.next = button("next \u203a", () => this.jump(this.step + 1), { class: "next" });
    this.play = button("\u25b6 play the steps", () => (this.timer ? this.stop() : this.start()), { class: "play" });
    this.element = html("div", { class: "sequence" }, this.chips,
      html("div", { class: "player" }, this.play, this.back, this.next, this.slider));
  }

  jump(step) {
    this.stop();
    this.go(Math.min(this.count, Math.max(1, step)));
  }

  start() {
    this.go(this.step === this.count ? 1 : this.step + 1);
    this.timer = setInterval(() => {
      this.go(this.step + 1);
      if (this.step >= this.count) this.stop();
    }, still() ? 2500 : 1500);
    this.play.textContent = "\u2016 pause";
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "\u25b6 play the steps";
  }

  draw(question, step) {
    this.step = step;
    this.slider.value = step;
    this.slider.setAttribute("aria-valuetext", `step ${step} of ${this.count}: ${this.says(question, step - 1)}`);
    this.back.disabled = step === 1;
    this.next.disabled = step === this.count;
    const focused = [...this.chips.children].findIndex((item) => item.contains(document.activeElement));
    this.chips.replaceChildren(...question.order.map((_, at) => html("li", {},
      button(this.written(question, at), () => this.jump(at + 1), {
        class: `chip ${this.looks(question, at)} ${at + 1 > step ? "coming" : ""}`,
        "aria-current": at + 1 === step ? "step" : null,
        "aria-label": `Step ${at + 1}: ${this.says(question, at)}`,
      }))));
    if (focused >= 0) this.chips.children[Math.min(focused, this.count - 1)].firstChild.focus();
  }

  written(question, at) {
    return LETTERS[question.order[at]];
  }

  looks(question, at) {
    return `c${question.order[at]} ${question.order[at] === question.reference ? "isreference" : ""}`;
  }

  says(question, at) {
    return `point ${LETTERS[question.order[at]]}${question.order[at] === question.reference ? ", the reference" : ""}`;
  }
}
