// Plays the duels that come in on stdin, a chunk at a time. A chunk is
//
//     <chunk> <count>
//     <index> <species> <gender> <move> <species> <gender> <move> <seed>     (count times)
//
// and its answer, written when all of it is played,
//
//     <index> <winner> <turns> <HP of A> <HP of B>                           (count times)
//     end <chunk> <count> <CRC-32 of the lines above>
//
// An exception ends the process with its message on stderr, and the chunk is never answered.
'use strict';

const readline = require('node:readline');
const { crc32 } = require('node:zlib');

const { play } = require(process.argv.includes('--plain') ? './plain' : './fast');

function playLine(line) {
  const [index, speciesA, genderA, moveA, speciesB, genderB, moveB, seed] = line.split(' ');
  try {
    return `${index} ${play([speciesA, genderA, moveA], [speciesB, genderB, moveB], seed).join(' ')}\n`;
  } catch (error) {
    throw new Error(`duel ${line}`, { cause: error });
  }
}

async function main() {
  let chunk = '';
  let left = 0;
  let answers = [];
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (left === 0) {
      const [id, count] = line.split(' ');
      [chunk, left, answers] = [id, Number(count), []];
      continue;
    }
    answers.push(playLine(line));
    left -= 1;
    if (left > 0) continue;
    const text = answers.join('');
    process.stdout.write(`${text}end ${chunk} ${answers.length} ${crc32(text)}\n`);
  }
}

main();
