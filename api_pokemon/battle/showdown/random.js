// The simulator's own random numbers (the 64-bit congruential generator of the fifth generation), on two 32-bit halves
// instead of arrays of four 16-bit digits: x = x * 0x5D588B656C078965 + 0x269EC3.
'use strict';

const { PRNG } = require('pokemon-showdown');

const MULTIPLIER_HIGH = 0x5d588b65;
const MULTIPLIER_LOW = 0x6c078965;
const INCREMENT = 0x269ec3;

class Congruential {
  constructor(seed) {
    const [a, b, c, d] = seed.split(',').map(Number);
    this.high = ((a << 16) | b) >>> 0;
    this.low = ((c << 16) | d) >>> 0;
  }

  next() {
    const { low } = this;
    const sum = (Math.imul(low, MULTIPLIER_LOW) >>> 0) + INCREMENT;
    const carry = sum > 0xffffffff ? 1 : 0;
    const high = multiplyHigh(low, MULTIPLIER_LOW) + Math.imul(this.high, MULTIPLIER_LOW);
    this.high = (high + Math.imul(low, MULTIPLIER_HIGH) + carry) >>> 0;
    this.low = sum >>> 0;
    return this.high;
  }
}

// The upper 32 bits of the product of two unsigned 32-bit numbers.
function multiplyHigh(a, b) {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const low = aLow * bHigh, high = aHigh * bLow;
  const middle = ((aLow * bLow) >>> 16) + (low & 0xffff) + (high & 0xffff);
  return aHigh * bHigh + (low >>> 16) + (high >>> 16) + (middle >>> 16);
}

class FastPRNG extends PRNG {
  setSeed(seed) {
    this.rng = new Congruential(seed);
  }
}

module.exports = { FastPRNG };
