// An episode of an agent: the board, the probability of each action and the value, at the present step.

const episodeOf = () => DATA.runs[inner.run].episode;
const lastStep = () => stepCount() - 1; // of the board after the last action, when the agent thinks no more
const colourOf = () => DATA.runs[inner.run].models[0].colour;
const sumTo = (step) => episodeOf().rewards.slice(0, step).reduce((sum, reward) => sum + reward, 0);
const plain = (number) => String(+number.toFixed(2));
const MOST_ACTIONS = 8; // with more, the likeliest are shown

// The actions of the rows at a step, all or the likeliest; the one that is taken is always among them.
function shownActions(step) {
  const { actions, chosen, probabilities } = episodeOf(), all = [...actions.keys()];
  if (all.length <= MOST_ACTIONS) return all;
  const share = probabilities[Math.min(step, probabilities.length - 1)], taken = chosen[step];
  const likeliest = all.sort((one, other) => share[other] - share[one]).slice(0, MOST_ACTIONS);
  return taken === undefined || likeliest.includes(taken) ? likeliest : [...likeliest.slice(0, -1), taken];
}

function drawEpisode(width) {
  const [, , height, across] = watched().boards.shape, board = byId("board"), { actions } = episodeOf();
  Object.assign(board, { width: across, height });
  board.style.aspectRatio = `${across} / ${height}`;
  byId("which-actions").textContent =
    actions.length > MOST_ACTIONS
      ? `The ${MOST_ACTIONS} likeliest of ${actions.length} actions at each step; the one it took is bold.`
      : "The probability of each action; the one it took is bold.";
  byId("actions").replaceChildren(
    ...shownActions(0).map(() => make("div", {}, make("span"), make("b", {}, make("i")), make("span"))),
  );
  if (width) drawValue(width);
}

function drawValue(width) {
  const { values, rewards } = episodeOf(), left = 52, right = 10, top = 8, height = 130, bottom = 24;
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  const x = (step) => left + (step / Math.max(1, lastStep())) * (width - left - right);
  const y = (value) => height - bottom - 10 - ((value - low) / span) * (height - bottom - top - 14);
  const texts = [low, high].map((value) => `<text class="quiet" x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${plain(value)}</text>`);
  const ends = [0, lastStep()].map((step) => `<text class="quiet" x="${x(step)}" y="${height - 4}" text-anchor="${step ? "end" : "start"}">step ${step}</text>`);
  const path = values.map((value, step) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
  const marks = rewards.map((reward, step) => {
    if (!reward) return "";
    const at = x(step + 1), base = height - bottom - (reward > 0 ? 0 : 8), tip = reward > 0 ? -8 : 8;
    return `<path d="M${at - 4} ${base}h8l-4 ${tip}z" fill="var(--${reward > 0 ? "right" : "wrong"})"><title>${plain(reward)}</title></path>`;
  });
  const line = `<path d="M${path}" fill="none" stroke="${colourOf()}" stroke-width="2"/>`;
  const axis = `<line class="axis" x1="${left}" x2="${width - right}" y1="${height - bottom}" y2="${height - bottom}"/>`;
  const now = `<line class="now" y1="${top - 4}" y2="${height - bottom}"/>`;
  byId("value").innerHTML = `<svg width="${width}" height="${height}" role="img" aria-label="The value at each step">${axis}${texts.join("")}${ends.join("")}${marks.join("")}${line}${now}</svg>`;
  const svg = byId("value").firstChild;
  svg.cursorAt = x;
  svg.addEventListener("click", (event) => {
    const share = (event.clientX - svg.getBoundingClientRect().left - left) / (width - left - right);
    goTo(Math.round(share * lastStep()));
  });
}

function showEpisode() {
  const { actions, palette, probabilities, chosen } = episodeOf(), { boards } = watched(), board = byId("board");
  const cells = board.width * board.height, seen = decoded(boards).subarray(inner.step * cells, (inner.step + 1) * cells);
  const image = new ImageData(board.width, board.height);
  seen.forEach((colour, cell) => image.data.set([...palette[colour], 255], 4 * cell));
  board.getContext("2d").putImageData(image, 0, 0);
  board.setAttribute("aria-label", `The game at step ${inner.step}`);
  const step = inner.step, thinks = step < lastStep(), shown = shownActions(step);
  [...byId("actions").children].forEach((row, place) => {
    const action = shown[place], [name, bar, told] = row.children;
    const share = thinks ? probabilities[step][action] : 0;
    name.textContent = actions[action];
    row.className = thinks && action === chosen[step] ? "now" : "";
    bar.firstChild.style.width = `${100 * share}%`;
    bar.firstChild.style.background = row.className ? colourOf() : "";
    told.textContent = thinks ? `${Math.round(100 * share)} %` : "";
  });
  const svg = byId("value").firstChild;
  if (!svg) return;
  const at = svg.cursorAt(step), now = svg.querySelector(".now");
  now.setAttribute("x1", at);
  now.setAttribute("x2", at);
}

// The present step in a sentence, which is also what a screen reader says.
function episodeText() {
  const { actions, chosen, probabilities, values, rewards, ends } = episodeOf(), step = inner.step;
  if (step === lastStep()) return `Step ${step}: ${ends}, with a return of ${plain(sumTo(step))}.`;
  const share = Math.round(100 * probabilities[step][chosen[step]]), action = actions[chosen[step]];
  const reward = rewards[step] ? ` It brings ${plain(rewards[step])}.` : "";
  return `Step ${step}, return so far ${plain(sumTo(step))}: it expects ${plain(values[step])} and chooses “${action}” (${share} %).${reward}`;
}
