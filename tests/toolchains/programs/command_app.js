// Prints what it computes.
export const run = {
  run() {
    const squares = Array.from({ length: 30 }, (_, number) => number * number);
    console.log(JSON.stringify(squares));
    console.log("a1b22c333".replace(/\d+/g, (digits) => `<${digits.length}>`));
    let sum = 0;
    for (let number = 0; number < 100000; number++) sum = (sum * 31 + number) | 0;
    console.log(sum);
  },
};
