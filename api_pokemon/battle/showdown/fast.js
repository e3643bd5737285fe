// The same duel as plain.js, to the same winner, turns and HP, in less time. What is left out writes the battle's log,
// prepares requests for players, or asks for handlers where there are none; every random number is still drawn, in
// order.
'use strict';

const { Battle, Dex } = require('pokemon-showdown');
const { Pokemon } = require('pokemon-showdown/dist/sim/pokemon');
const { Side } = require('pokemon-showdown/dist/sim/side');
const activeMoves = require('./active_moves');
const { EventIndex, eventsOf } = require('./events');
const { FORMAT, MOD, TURN_CAP, team, result } = require('./fighters');
const { FastPRNG } = require('./random');

const dex = Dex.mod(MOD).includeData();
const events = new EventIndex(dex);
const statsBySpecies = new Map();

// The format without its rules: the only one with a handler, Sleep Clause, cannot matter with a single Pokémon. Mega
// evolution is only looked up to be offered in requests.
const format = Object.assign(Object.create(Object.getPrototypeOf(Dex.formats.get(FORMAT))), Dex.formats.get(FORMAT), {
  ruleset: [],
  banlist: [],
  ruleTable: null,
  actions: { canMegaEvo: () => null, canMegaEvoX: () => null, canMegaEvoY: () => null },
});

class FastPokemon extends Pokemon {
  // Only the log wants it.
  toString() {
    return '';
  }
}

class FastSide extends Side {
  addPokemon(set) {
    this.pokemon.push(new FastPokemon(set, this));
    this.pokemonLeft++;
  }
}

class FastBattle extends Battle {
  add() {}
  addMove() {}
  addSplit() {}
  attrLastMove() {}
  retargetLastMove() {}
  hint() {}
  debug() {}

  setPlayer(slot, { name, team }) {
    const n = slot === 'p1' ? 0 : 1;
    this.sides[n] = new FastSide(name, this, n, team);
    if (n === 1) this.start();
  }

  // In the team preview both choose their only Pokémon, in order of speed; that draws a number when they tie.
  runPickTeam() {
    if (this.sides[0].pokemon[0].getActionSpeed() === this.sides[1].pokemon[0].getActionSpeed()) this.random(0, 2);
  }

  makeRequest(type) {
    if (type !== 'move') throw new Error(`a duel asks for no ${type}`);
  }

  playTurn() {
    const actions = this.sides.map(side => this.action(side.active[0]));
    this.updateSpeed();
    this.queue.clear();
    this.queue.addChoice(actions);
    this.queue.sort();
    this.turnLoop();
  }

  // What choosing the first move of a request comes to.
  action(pokemon) {
    const locked = pokemon.getLockedMove();
    if (locked) {
      const targetLoc = pokemon.volatiles[locked]?.targetLoc || pokemon.lastMoveTargetLoc || 0;
      return { choice: 'move', pokemon, targetLoc, moveid: locked };
    }
    const slot = pokemon.moveSlots[0];
    if (slot.pp <= 0 || slot.disabled) return { choice: 'move', pokemon, moveid: 'struggle' };
    return { choice: 'move', pokemon, targetLoc: 0, moveid: slot.id };
  }

  // It only looks at moves.
  endTurn() {
    this.dex.sharesMoves = true;
    super.endTurn();
    this.dex.sharesMoves = false;
  }

  runEvent(event, target, source, sourceEffect, relayVar, onEffect, fastExit) {
    const isQuiet = this.eventDepth < 8 && this.isQuiet(event) &&
      !(onEffect && sourceEffect?.[events.callbackName(event)] !== undefined);
    // A number is rounded on its way through, without effect up to 2 ** 20, above which that overflows.
    if (!isQuiet || (typeof relayVar === 'number' && relayVar >= 2 ** 20)) {
      return super.runEvent(event, target, source, sourceEffect, relayVar, onEffect, fastExit);
    }
    if (Array.isArray(target)) return Array.isArray(relayVar) ? relayVar : target.map(() => true);
    return relayVar ?? true;
  }

  singleEvent(event, effect, state, target, source, sourceEffect, relayVar, callback) {
    if (callback === undefined && this.eventDepth < 8 && effect[events.callbackName(event)] === undefined) {
      return relayVar === undefined ? true : relayVar;
    }
    return super.singleEvent(event, effect, state, target, source, sourceEffect, relayVar, callback);
  }

  eachEvent(event, effect, relayVar) {
    if (!this.isQuiet(event)) return super.eachEvent(event, effect, relayVar);
    const [a, b] = [this.sides[0].active[0], this.sides[1].active[0]];
    if (a && b && !a.fainted && !b.fainted && a.speed === b.speed) this.random(0, 2);
    if (event === 'Weather') this.eachEvent('Update');
  }

  fieldEvent(event, targets) {
    if (!this.isBare()) super.fieldEvent(event, targets);
  }

  // Nobody has a handler of the event, not even under a prefix.
  isQuiet(event) {
    for (let n = 0; n < 2; n++) {
      const side = this.sides[n];
      const pokemon = side?.pokemon[0];
      if (pokemon === undefined) continue;
      if (pokemon.status && events.mayHandle(pokemon.status, event)) return false;
      for (const id in pokemon.volatiles) if (events.mayHandle(id, event)) return false;
      for (const id in side.sideConditions) if (events.mayHandle(id, event)) return false;
      for (const id in side.slotConditions[0]) if (events.mayHandle(id, event)) return false;
    }
    return this.isFieldBare();
  }

  // Nothing is in play that could have a handler, or end by itself.
  isBare() {
    for (let n = 0; n < 2; n++) {
      const side = this.sides[n];
      if (side.pokemon[0].status) return false;
      for (const id in side.pokemon[0].volatiles) return false;
      for (const id in side.sideConditions) return false;
      for (const id in side.slotConditions[0]) return false;
    }
    return this.isFieldBare();
  }

  isFieldBare() {
    if (this.field.weather || this.field.terrain) return false;
    for (const id in this.field.pseudoWeather) return false;
    return true;
  }

  spreadModify(baseStats, set) {
    let stats = statsBySpecies.get(baseStats);
    if (stats === undefined) {
      stats = super.spreadModify(baseStats, set);
      statsBySpecies.set(baseStats, stats);
    }
    return { ...stats };
  }
}

function play(a, b, seed) {
  const battle = new FastBattle({
    format,
    formatid: FORMAT,
    prng: new FastPRNG(seed),
    p1: { name: 'A', team: team(...a) },
    p2: { name: 'B', team: team(...b) },
  });
  while (!battle.ended) {
    if (battle.turn > TURN_CAP) throw new Error(`no end after ${TURN_CAP} turns`);
    battle.playTurn();
  }
  return result(battle);
}

// isQuiet looks at nothing but conditions; so nothing else that is always in play may have handlers.
function checkAssumptions() {
  const species = dex.species.all().filter(({ isNonstandard }) => !isNonstandard);
  for (const effect of [dex.abilities.get('No Ability'), dex.items.get(''), dex.conditions.get(''), ...species]) {
    const [event] = eventsOf(effect);
    if (event !== undefined) throw new Error(`${effect.effectType} ${effect.name} handles ${event}`);
  }
}

checkAssumptions();
activeMoves.install(dex);

module.exports = { play };
