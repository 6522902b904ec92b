/**
 * The test statistic: the signed root of the deviance of a negative binomial count. Against exact
 * tails it is within 10 % and always on the safe side, needs only `log` and `sqrt` (the same bits on
 * every machine), and can be inverted by bisection.
 */

/**
 * How far `count` lies above its expectation, in standard deviations; 0 where it does not.
 * `mean` is the expected count, `inverseSize` 1/r of the negative binomial (0 is Poisson).
 */
export function scanScore(count: number, mean: number, inverseSize: number): number {
  if (count <= mean) return 0;
  const expected = mean < 1e-9 ? 1e-9 : mean;
  const size = 1 / (inverseSize < 1e-9 ? 1e-9 : inverseSize);
  const deviance = count * Math.log(count / expected) - (count + size) * Math.log((count + size) / (expected + size));
  return deviance <= 0 ? 0 : Math.sqrt(2 * deviance);
}

/** The smallest whole count whose score is at least `score`. */
export function countForScore(score: number, mean: number, inverseSize: number): number {
  let low = Math.floor(mean);
  let high = low + 1;
  while (scanScore(high, mean, inverseSize) < score && high < 1e12) high *= 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (scanScore(middle, mean, inverseSize) >= score) high = middle;
    else low = middle;
  }
  return high;
}

/** Score of the one-sided 95th percentile of the normal distribution. */
export const SCORE_95 = 1.6448536269514722;
