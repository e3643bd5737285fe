// A fighter of the duel rules, as a Showdown team of one: level 50, IV 31, no Awakening Values, Serious, friendship 70,
// no item, no ability. PP are the simulator's default, all PP Ups used (8/5 of the move's own).
'use strict';

const { Dex } = require('pokemon-showdown');

const MOD = 'gen7letsgo';
const FORMAT = 'gen7letsgoou';
const TURN_CAP = 200;

const dex = Dex.mod(MOD);
const checked = new Set();

// The simulator plays what it has never heard of, somehow.
function check(thing) {
  const isOfTheGame = thing.exists && (!thing.isNonstandard || thing.isNonstandard === 'LGPE');
  if (!isOfTheGame) throw new Error(`no ${thing.name} in this game`);
  checked.add(thing.id);
}

// Gender is always given: where it is not, the simulator draws one, which makes one more random number.
function team(species, gender, move) {
  if (!checked.has(species)) check(dex.species.get(species));
  if (!checked.has(move)) check(dex.moves.get(move));
  return [{
    species,
    gender,
    moves: [move],
    item: '',
    ability: 'No Ability',
    nature: 'Serious',
    level: 50,
    happiness: 70,
    ivs: { hp: 31, atk: 31, def: 31, spa: 31, spd: 31, spe: 31 },
    evs: { hp: 0, atk: 0, def: 0, spa: 0, spd: 0, spe: 0 },
  }];
}

// The side that won (1: A, 0: B, 2: neither), the turns it took, and what HP both have left.
function result(battle) {
  const winner = { A: 1, B: 0, '': 2 }[battle.winner];
  return [winner, battle.turn, battle.sides[0].pokemon[0].hp, battle.sides[1].pokemon[0].hp];
}

module.exports = { MOD, FORMAT, TURN_CAP, team, result };
