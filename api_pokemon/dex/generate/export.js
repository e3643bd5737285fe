// Prints, as JSON, what the two npm packages know of Let's Go: unshaped, except that a function is replaced by its name.
// Usage: node export.js FOLDER, where FOLDER holds a package.json with both packages installed.
'use strict';

const {createRequire} = require('node:module');
const path = require('node:path');

const from = createRequire(path.resolve(process.argv[2], 'package.json'));
const dex = from('pokemon-showdown').Dex.mod('gen7letsgo');
const oakdex = name => Object.values(from(`oakdex-pokedex/data/${name}.json`));

function callbacks(value, prefix = '') {
	return Object.entries(value).flatMap(([key, inner]) => {
		if (typeof inner === 'function') return [prefix + key];
		return inner && typeof inner === 'object' ? callbacks(inner, `${prefix}${key}.`) : [];
	});
}

const moveIds = learnsets => [...new Set(learnsets.flatMap(({learnset = {}}) => Object.keys(learnset)))];

function species(entry) {
	const {name, id, num, types, baseStats, weightkg, genderRatio, baseSpecies, forme, prevo, changesFrom} = entry;
	const learner = dex.species.get(changesFrom || id); // a Mega has no learnset of its own
	return {
		name, id, num, types, baseStats, weightkg, genderRatio, baseSpecies, forme, prevo,
		learnset: moveIds(dex.species.getFullLearnset(id)),
		ownLearnset: moveIds([dex.species.getLearnsetData(learner.id)]),
	};
}

const forms = dex.species.all().filter(entry => !entry.isNonstandard).map(species);
const learnable = new Set(forms.flatMap(form => form.learnset));
const moves = [...learnable, 'struggle'].map(id => dex.moves.get(id));

process.stdout.write(JSON.stringify({
	source: Object.fromEntries(['pokemon-showdown', 'oakdex-pokedex'].map(name => [name, from(`${name}/package.json`).version])),
	types: dex.types.all().filter(type => !type.isNonstandard).map(({name, damageTaken}) => ({name, damageTaken})),
	forms,
	moves: moves.map(move => ({...move, callbacks: callbacks(move)})),
	oakdex: {
		types: oakdex('type').map(({names}) => names),
		species: oakdex('pokemon').map(({national_id, names}) => ({id: national_id, ...names})),
		moves: oakdex('move').map(({index_number, names}) => ({id: index_number, ...names})),
	},
}));
