// A duel as everybody plays it: the simulator as it comes, its Let's Go format, choices through its public interface.
// It is the yardstick of fast.js, in results (which must be the same) and in time.
'use strict';

const { Battle } = require('pokemon-showdown');
const { FORMAT, TURN_CAP, team, result } = require('./fighters');

function play(a, b, seed) {
  const battle = new Battle({
    formatid: FORMAT,
    seed,
    p1: { name: 'A', team: team(...a) },
    p2: { name: 'B', team: team(...b) },
  });
  choose(battle, 'team 1');
  while (!battle.ended) {
    if (battle.turn > TURN_CAP) throw new Error(`no end after ${TURN_CAP} turns`);
    choose(battle, 'move 1');
  }
  return result(battle);
}

function choose(battle, choice) {
  for (const side of ['p1', 'p2']) {
    if (!battle.choose(side, choice)) throw new Error(`${side} cannot choose ${choice}: ${battle[side].choice.error}`);
  }
}

module.exports = { play };
