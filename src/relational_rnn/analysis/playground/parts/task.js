// Nth farthest as relational_rnn.tasks.nth_farthest codes it: [x, y | own label | reference | n], all one-hot.

const LETTERS = "ABCDEFGHIJKL";

function encode(question) {
  const { points, order, reference, n } = question;
  const N = points.length;
  const oneHot = (at) => Array.from({ length: N }, (_, i) => (i === at ? 1 : 0));
  return order.map((label) =>
    Float64Array.from([...points[label], ...oneHot(label), ...oneHot(reference), ...oneHot(n)]));
}

function distances({ points, reference }) {
  const [x, y] = points[reference];
  return points.map((point) => Math.hypot(point[0] - x, point[1] - y));
}

// Labels from the farthest to the reference itself; of two at one distance the one shown earlier is farther.
function ranking(question) {
  const away = distances(question);
  away[question.reference] = -1;
  return [...question.order].sort((a, b) => away[b] - away[a]);
}

const trueAnswer = (question) => ranking(question)[question.n];

function rankName(n, N) {
  if (n === N - 1) return "nearest (itself)";
  if (n === 0) return "farthest";
  const last = n + 1;
  return `${last}${["th", "st", "nd", "rd"][last] ?? "th"} farthest`;
}

// A small generator with a seed (mulberry32), so that a layout can be shown again.
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(count, random) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function randomQuestion(N, random) {
  const points = Array.from({ length: N }, () => [2 * random() - 1, 2 * random() - 1].map(Math.fround));
  const reference = Math.floor(random() * N);
  return { points, order: shuffled(N, random), reference, n: Math.floor(random() * N) };
}

function predict(core, question) {
  const memory = encode(question).reduce((rows, input) => core.step(rows, input).after, core.initialMemory());
  const { scores } = core.answer(memory);
  return scores.indexOf(Math.max(...scores));
}
