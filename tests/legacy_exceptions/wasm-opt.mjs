#!/usr/bin/env node
// A `wasm-opt` made of the package `binaryen` of npm. The package's own `wasm-opt` cannot write to
// a pipe. This one takes the arguments that edgec gives, reads a module from standard input and
// writes the result to standard output. The package lies in ../lib/node_modules.

import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(import.meta.url);
const folder = resolve("../lib/node_modules/binaryen/package.json");
const words = process.argv.slice(2);

if (words.includes("--version")) {
  const { version } = JSON.parse(readFileSync(folder, "utf8"));
  const number = version.split(".")[0];
  console.log(`wasm-opt version ${number} (binaryen.js ${version})`);
  process.exit(0);
}

const entry = pathToFileURL(folder.replace("package.json", "index.js"));
const { default: binaryen } = await import(entry.href);

/** wasm-opt's names of features, and those of the package. Some features have two parts there. */
const FEATURES = {
  "bulk-memory": ["BulkMemory", "BulkMemoryOpt"],
  "exception-handling": ["ExceptionHandling"],
  "extended-const": ["ExtendedConst"],
  gc: ["GC"],
  memory64: ["Memory64"],
  multimemory: ["MultiMemory"],
  multivalue: ["Multivalue"],
  "mutable-globals": ["MutableGlobals"],
  "nontrapping-float-to-int": ["NontrappingFPToInt"],
  "reference-types": ["ReferenceTypes", "CallIndirectOverlong"],
  "relaxed-simd": ["RelaxedSIMD"],
  "sign-ext": ["SignExt"],
  simd: ["SIMD128"],
  "tail-call": ["TailCall"],
  threads: ["Atomics"],
};

/** Options that are no passes. The last two say how a module is written. */
const NOT_PASSES = ["--mvp-features", "--generate-stack-ir", "--optimize-stack-ir"];

let features = binaryen.Features.MVP;
const passes = [];
const levels = { "-ol": 0, "-s": 0 };
for (let at = 0; at < words.length; at += 1) {
  const word = words[at];
  if (word in levels) {
    at += 1;
    levels[word] = Number(words[at]);
  } else if (word === "-g") {
    binaryen.setDebugInfo(true);
  } else if (word === "-o") {
    at += 1;
  } else if (word.startsWith("--enable-")) {
    for (const part of FEATURES[word.slice("--enable-".length)]) {
      features |= binaryen.Features[part];
    }
  } else if (word.startsWith("--") && !NOT_PASSES.includes(word)) {
    passes.push(word.slice(2));
  }
}
binaryen.setOptimizeLevel(levels["-ol"]);
binaryen.setShrinkLevel(levels["-s"]);
const module = binaryen.readBinary(readFileSync(0));
module.setFeatures(features);
module.runPasses(passes);
if (!module.validate()) {
  process.exit(1);
}
const bytes = module.emitBinary();
for (let done = 0; done < bytes.length; ) {
  done += writeSync(1, bytes, done);
}
