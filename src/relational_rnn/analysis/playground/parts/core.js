"use strict";
// The Relational Memory Core and its head for one sequence, in float64: the twin of relational_rnn.reference.
// Rows are Float64Arrays; every intermediate result of a step is kept, because the page shows it.

function unpack(weights) {
  const bytes = Uint8Array.from(atob(weights.base64), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const found = {};
  let at = 0;
  for (const [name, shape] of weights.arrays) {
    const values = new Float64Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < values.length; i++, at += 4) values[i] = view.getFloat32(at, true);
    found[name] = { values, shape };
  }
  return found;
}

// y = x W^T + b, W of features out by features in; `from` is the first column of W that x meets.
function linear(x, weight, bias, from = 0) {
  const [outputs, inputs] = weight.shape;
  const y = new Float64Array(outputs);
  for (let o = 0; o < outputs; o++) {
    let sum = bias ? bias.values[o] : 0;
    for (let i = 0; i < x.length; i++) sum += weight.values[o * inputs + from + i] * x[i];
    y[o] = sum;
  }
  return y;
}

function layerNorm(x, gain, bias) {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
  const scale = 1 / Math.sqrt(variance + 1e-5);
  return x.map((value, i) => (value - mean) * scale * gain.values[i] + bias.values[i]);
}

function softmax(x) {
  const most = Math.max(...x);
  const powers = x.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

const sigmoid = (x) => 0.5 * (1 + Math.tanh(0.5 * x));
const relu = (x) => Math.max(x, 0);
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const add = (a, b) => a.map((value, i) => value + b[i]);
const mean = (x) => x.reduce((a, b) => a + b, 0) / x.length;

// x Phi(x); the error function as exp(-z^2) times a series of positive terms, which loses no digits.
function gelu(x) {
  const z = Math.abs(x) * Math.SQRT1_2;
  let erf = 1;
  if (z < 6) {
    let term = z;
    let sum = z;
    for (let n = 1; term > 1e-18 * sum; n++) sum += term *= (2 * z * z) / (2 * n + 1);
    erf = (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  }
  return x * 0.5 * (1 + Math.sign(x) * erf);
}

class Core {
  constructor(scene) {
    this.config = scene.core;
    this.head = scene.head;
    this.params = unpack(scene.weights);
    this.width = this.config.head_size * this.config.num_heads; // D
    this.key = this.config.key_size ?? this.config.head_size; // K
    this.slots = this.config.mem_slots; // N
    this.gated = this.config.gate_style !== "none";
    this.appended = this.config.input_fusion === "append";
  }

  of(name) {
    return this.params[`core.${name}`];
  }

  norm(x, name) {
    const gain = this.of(`${name}.weight`);
    return gain ? layerNorm(x, gain, this.of(`${name}.bias`)) : x;
  }

  initialMemory() {
    const kept = this.of("initial_memory");
    return Array.from({ length: this.slots }, (_, n) => {
      if (kept) return kept.values.slice(n * this.width, (n + 1) * this.width);
      const row = new Float64Array(this.width);
      if (this.config.initial_memory === "identity" && n < this.width) row[n] = 1;
      return row;
    });
  }

  // One step; returns the memory after it (`after`) and everything on the way there.
  step(before, input) {
    const { num_blocks: count } = this.config;
    const x = linear(input, this.of("input_projection.weight"), this.of("input_projection.bias"));
    let rows = this.appended ? [...before, x] : before;
    const blocks = [];
    for (let b = 0; b < count; b++) {
      blocks.push(this.block(b, rows, x, b === count - 1 ? this.slots : rows.length));
      rows = blocks[b].after;
    }
    const found = { input, x, before, blocks, candidate: rows, after: rows, inputGate: null, forgetGate: null };
    if (!this.gated) return found;
    const fromInput = linear(x, this.of("gate_input.weight"), this.of("gate_input.bias"));
    found.squashed = before.map((row) => row.map(Math.tanh));
    const logits = found.squashed.map((row) =>
      add(linear(row, this.of("gate_memory.weight"), this.of("gate_memory.bias")), fromInput));
    const G = fromInput.length / 2;
    found.inputGate = logits.map((row) => row.slice(0, G).map((v) => sigmoid(v + this.config.input_bias)));
    found.forgetGate = logits.map((row) => row.slice(G).map((v) => sigmoid(v + this.config.forget_bias)));
    found.candidate = rows.map((row) => row.map(Math.tanh));
    found.after = before.map((row, n) => row.map((value, d) => {
      const g = G === 1 ? 0 : d;
      return found.inputGate[n][g] * found.candidate[n][d] + found.forgetGate[n][g] * value;
    }));
    return found;
  }

  block(b, rows, x, queries) {
    const name = `blocks.${b}`;
    const [weight, bias] = [this.of(`${name}.qkv.weight`), this.of(`${name}.qkv.bias`)];
    const qkv = rows.map((row) => {
      const projected = linear(row, weight, bias);
      const joined = this.appended ? projected : add(projected, linear(x, weight, null, this.width));
      return this.norm(joined, `${name}.qkv_norm`);
    });
    const heads = this.config.use_attention ? this.attend(qkv, queries) : null;
    const attended = rows.slice(0, queries).map((_, n) => {
      if (heads) return Float64Array.from(heads.flatMap((head) => [...head.attended[n]]));
      return Float64Array.from({ length: this.width }, (_, d) => mean(qkv.map((row) => row[d])));
    });
    const residual = this.config.use_residual;
    const compared = attended.map((row, n) =>
      this.norm(residual ? add(rows[n], row) : row, `${name}.attention_norm`));
    const found = { rows, qkv, heads, attended, compared, hidden: null, after: compared };
    if (!this.config.use_mlp) return found;
    found.hidden = compared.map((row) => this.mlp(row, "core.mlp", this.config.attention_mlp_layers, relu));
    found.after = compared.map((row, n) =>
      this.norm(residual ? add(found.hidden[n], row) : found.hidden[n], `${name}.mlp_norm`));
    return found;
  }

  // A head's features are its query, its key and its value, side by side.
  attend(qkv, queries) {
    const { num_heads: H, head_size: V } = this.config;
    const K = this.key;
    return Array.from({ length: H }, (_, h) => {
      const part = (from, size) => qkv.map((row) => row.slice(h * (2 * K + V) + from, h * (2 * K + V) + from + size));
      const [q, k, v] = [part(0, K).slice(0, queries), part(K, K), part(2 * K, V)];
      const scores = q.map((one) => Float64Array.from(k, (other) => dot(one, other) / Math.sqrt(K)));
      const weights = scores.map(softmax);
      const attended = weights.map((row) =>
        Float64Array.from({ length: V }, (_, d) => v.reduce((sum, value, m) => sum + row[m] * value[d], 0)));
      return { q, k, v, scores, weights, attended };
    });
  }

  mlp(x, name, layers, activation) {
    for (let layer = 0; layer < layers; layer++) {
      x = linear(x, this.params[`${name}.${layer}.weight`], this.params[`${name}.${layer}.bias`]);
      if (layer < layers - 1) x = x.map(activation);
    }
    return x;
  }

  read(memory) {
    const flat = () => Float64Array.from(memory.flatMap((row) => [...row]));
    const weighted = (w) => Float64Array.from({ length: this.width }, (_, d) => dot(w, memory.map((row) => row[d])));
    switch (this.config.read_head) {
      case "flatten": return flat();
      case "mean": return weighted(memory.map(() => 1 / this.slots));
      case "weighted": return weighted(softmax([...this.of("read_weights").values]));
      case "attention": {
        const query = this.of("read_query").values;
        return weighted(softmax(memory.map((row) => dot(row, query) / Math.sqrt(this.width))));
      }
      default: throw new Error(`no read head ${this.config.read_head}`);
    }
  }

  answer(memory) {
    const output = this.read(memory);
    const scores = this.mlp(output, "head", this.head.layers, this.head.activation === "gelu" ? gelu : relu);
    return { output, scores, shares: softmax(scores) };
  }

  // All steps of a sequence, each with what the head would answer after it.
  run(inputs) {
    let memory = this.initialMemory();
    return inputs.map((input) => {
      const found = this.step(memory, input);
      memory = found.after;
      return { ...found, answer: this.answer(memory) };
    });
  }
}
