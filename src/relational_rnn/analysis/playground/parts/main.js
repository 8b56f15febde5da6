// The page: a tab for each scene (none where there is one), the finding above it, tour and quiz.

const SCENES = { plane: PlaneScene, swaps: SwapScene };

function opening(scene) {
  const { data, examples } = scene;
  const { training } = data;
  return [
    html("p", { class: "lead" }, scene.finding()),
    html("p", { class: "note" }, `The model runs in this page: ${training.parameters.toLocaleString("en")} weights (${data.name}), trained for ` +
      `${training.steps.toLocaleString("en")} steps of ${training.batch_size} ${examples}, one seed (${training.seed}). ${scene.begin}`),
  ];
}

function closing({ data, preset, source }) {
  const { training } = data;
  return html("footer", {}, html("h2", {}, "Your own model in this page"),
    html("p", {}, "Train one, then show its run:"),
    html("pre", {}, `relational-rnn train ${preset} --models rmc --out runs/mine\nrelational-rnn playground runs/mine`),
    training.command ? html("p", {}, "The model above is the package's own, trained by ", html("code", {}, training.command), ".") : "",
    html("p", {}, source));
}

const PAGE = JSON.parse(document.getElementById("data").textContent);
const TOUR = new Tour();
const scenes = PAGE.scenes.map((data) => new SCENES[data.kind](data));
const panels = scenes.map((scene, at) => {
  const start = button("take the tour: seven steps", () => TOUR.start(scene, start), { class: "main tourbutton" });
  const toQuiz = button(`quiz: ${asked(scenes[at].quiz().length).toLowerCase()}`, () => {
    const title = panels[at].querySelector(".quiz h2");
    title.scrollIntoView({ behavior: still() ? "auto" : "smooth" });
    title.focus({ preventScroll: true });
  });
  return html("div", { id: `scene-${at}` }, opening(scene), html("p", { class: "tools" }, start, toQuiz), scene.element, quiz(scene), closing(scene));
});

function choose(at, focus) {
  document.querySelector("h1").textContent = scenes[at].heading;
  panels.forEach((panel, one) => { panel.hidden = one !== at; });
  tabs.forEach((tab, one) => {
    tab.setAttribute("aria-selected", String(one === at));
    tab.tabIndex = one === at ? 0 : -1;
  });
  if (focus) tabs[at].focus();
}

const tabs = scenes.length === 1 ? [] : scenes.map(({ data }, at) => button(data.title, () => choose(at), {
  role: "tab", id: `tab-${at}`, "aria-controls": `scene-${at}`,
  onkeydown: (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) choose((at + by + scenes.length) % scenes.length, true);
  },
}));
if (tabs.length) {
  panels.forEach((panel, at) => fill(panel, { role: "tabpanel", "aria-labelledby": `tab-${at}` }, []));
  document.querySelector("main").append(html("div", { class: "tabs", role: "tablist", "aria-label": "Scenes" }, tabs));
}
document.querySelector("main").append(...panels, TOUR.element);
choose(0);
