// The simulator asks every effect in play about every event, by names that it puts together each time ("onAllyTryHit").
// Almost always nobody answers. This index says, from an effect's id, which events it could have an answer to.
'use strict';

const PREFIX = /^(Ally|Any|Foe|Source|Side|Field)/;

class EventIndex {
  constructor(dex) {
    this.dex = dex;
    this.byCondition = new Map();
    this.callbackNames = new Map();
  }

  // False only if the condition has no handler of the event under any prefix.
  mayHandle(conditionId, event) {
    let events = this.byCondition.get(conditionId);
    if (events === undefined) {
      events = eventsOf(this.dex.conditions.getByID(conditionId));
      this.byCondition.set(conditionId, events);
    }
    return events.has(event);
  }

  callbackName(event) {
    let name = this.callbackNames.get(event);
    if (name === undefined) {
      name = `on${event}`;
      this.callbackNames.set(event, name);
    }
    return name;
  }
}

function eventsOf(effect) {
  const events = new Set();
  for (const key of Object.keys(effect)) {
    if (!key.startsWith('on') || effect[key] === undefined) continue;
    let event = key.slice(2);
    events.add(event);
    while (PREFIX.test(event)) {
      event = event.replace(PREFIX, '');
      events.add(event);
    }
  }
  return events;
}

module.exports = { EventIndex, eventsOf };
