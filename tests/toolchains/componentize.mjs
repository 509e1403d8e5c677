// Makes a component from JavaScript: componentize.mjs SOURCE WORLD WIT OUTPUT
//
// It runs in the folder of the npm packages, since it imports one of them.
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { componentize } from "@bytecodealliance/componentize-js";

const [source, worldName, witPath, output] = process.argv.slice(2);
const text = await readFile(source, "utf8");
const options = { sourceName: basename(source), witPath, worldName };
const { component } = await componentize(text, options);
await writeFile(output, component);
