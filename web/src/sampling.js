/**
 * Probabilities of the next character. The page shows them in floating point; the runtime draws with its own
 * arithmetic, in integers, so that the last digits may differ.
 */

/**
 * Returns the probability of each token after temperature and top-k. On ties the lower token wins, as in the runtime.
 * @param {ArrayLike<number>} logits in nats
 * @param {number} thousandths temperature; 0 puts all on the most probable token
 * @param {number} top_k number of most probable tokens that can be drawn; 0 for all
 * @returns {number[]}
 */
export function distribution(logits, thousandths, top_k) {
  const values = Array.from(logits);
  const order = values.map((_, token) => token).sort((a, b) => values[b] - values[a] || a - b);
  const kept = thousandths === 0 ? 1 : top_k || values.length;
  const largest = values[order[0]];
  const weights = values.map(() => 0);
  for (const token of order.slice(0, kept)) {
    weights[token] = thousandths === 0 ? 1 : Math.exp((values[token] - largest) * 1000 / thousandths);
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
