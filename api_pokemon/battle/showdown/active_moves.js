// A move in use is a private copy of the move's data, and the simulator makes one several times a turn, key by key and to
// the bottom. Here every copy has the same keys, so that it is one constructor call and one shape to the engine, and its inner
// parts are shared between copies. They are frozen: code that wrote to a shared part would throw, never change a result.
'use strict';

const COPIED = ['flags']; // the inner parts that the simulator does write to (Sky Drop)

function install(dex) {
  const ActiveMove = constructorOf(dex);
  const templates = new Map();
  const getActiveMove = dex.getActiveMove;
  dex.getActiveMove = function (move) {
    if (move && typeof move.hit === 'number') return move;
    const known = this.moves.get(move);
    let template = templates.get(known);
    if (!template) {
      // Bide and the like make up a move of their own under a known id.
      if (known !== this.moves.getByID(known.id)) return getActiveMove.call(this, known);
      template = templateOf(this, known);
      templates.set(known, template);
    }
    const copy = new ActiveMove(template);
    for (const key of COPIED) copy[key] = { ...template[key] };
    copy.hit = 0;
    return copy;
  };
}

function constructorOf(dex) {
  const keys = new Set(['hit', 'totalDamage', 'moveHitData', 'hitTargets', 'lastHit', 'sourceEffect', 'isExternal', 'hasBounced',
    'pranksterBoosted', 'ignoreAbility', 'selfDropped', 'spreadHit']);
  for (const move of dex.moves.all()) for (const key of Object.keys(move)) keys.add(key);
  const body = [...keys].map(key => `this.${key} = template.${key};`).join('\n');
  const ActiveMove = new Function(`return function ActiveMove(template) {\n${body}\n}`)();
  ActiveMove.prototype = Object.getPrototypeOf(dex.moves.get('tackle'));
  return ActiveMove;
}

function templateOf(dex, move) {
  const template = dex.deepClone(move);
  // The simulator adds empty flags to effects without any when it applies them; a frozen effect must have them before.
  for (const effect of effectsOf(template)) effect.flags ??= {};
  for (const key of Object.keys(template)) dex.deepFreeze(template[key]);
  return template;
}

function effectsOf(move) {
  const secondaries = move.secondaries ?? [];
  return [move.self, move.selfBoost, ...secondaries, ...secondaries.map(secondary => secondary.self)].filter(Boolean);
}

module.exports = { install };
