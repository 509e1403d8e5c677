// Makes a component from JavaScript: componentize.mjs PACKAGES SOURCE WORLD WIT OUTPUT
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, source, worldName, witPath, output] = process.argv.slice(2);
const found = createRequire(join(packages, "x.js")).resolve("@bytecodealliance/componentize-js");
const { componentize } = await import(pathToFileURL(found));
const text = await readFile(source, "utf8");
const options = { sourceName: basename(source), witPath, worldName };
const { component } = await componentize(text, options);
await writeFile(output, component);
