// A move in use is a private copy of the move's data, and the simulator makes several of them a turn, key by key and to
// the bottom. Here every copy has the same keys, so that it is one constructor call and one shape to the engine, and its
// inner parts are shared between copies. They are frozen: code that wrote to one would throw, never change a result.
'use strict';

const WRITTEN_IN_USE = [
  'hit', 'totalDamage', 'moveHitData', 'hitTargets', 'lastHit', 'isExternal', 'hasBounced', 'pranksterBoosted', 'selfDropped',
];

// Replaces the dex's getActiveMove. While `dex.sharesMoves` is set, it hands out frozen moves that are not even copied.
function install(dex) {
  const ActiveMove = constructorOf(dex);
  const templates = new Map();
  const getActiveMove = dex.getActiveMove;
  dex.sharesMoves = false;
  dex.getActiveMove = function (move) {
    if (move && typeof move.hit === 'number') return move;
    const known = this.moves.get(move);
    let template = templates.get(known);
    if (template === undefined) {
      // Bide and the like make up a move of their own under a known id.
      if (known !== this.moves.getByID(known.id)) return getActiveMove.call(this, known);
      template = dex.deepFreeze(new ActiveMove(templateOf(getActiveMove.call(this, known))));
      templates.set(known, template);
    }
    return this.sharesMoves ? template : new ActiveMove(template);
  };
}

function constructorOf(dex) {
  const keys = new Set(WRITTEN_IN_USE);
  for (const move of dex.moves.all()) for (const key of Object.keys(move)) keys.add(key);
  const body = [...keys].map(key => `this.${key} = template.${key};`).join('\n');
  const ActiveMove = new Function(`return function ActiveMove(template) {\n${body}\n}`)();
  ActiveMove.prototype = Object.getPrototypeOf(dex.moves.get('tackle'));
  return ActiveMove;
}

// The simulator gives empty flags to effects without any when it applies them; a frozen effect must have them before.
function templateOf(move) {
  const secondaries = move.secondaries ?? [];
  for (const effect of [move.self, move.selfBoost, ...secondaries, ...secondaries.map(secondary => secondary.self)]) {
    if (effect) effect.flags ??= {};
  }
  return move;
}

module.exports = { install };
