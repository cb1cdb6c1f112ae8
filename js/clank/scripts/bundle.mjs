// Builds the two bundles and the declarations into a folder.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root = fileURLToPath(new URL("..", import.meta.url));

const banner = { js: "/*! Clank client, MIT OR Apache-2.0 */" };
const common = { absWorkingDir: root, bundle: true, minify: true, target: "es2022", banner, logLevel: "warning" };

export async function bundle(outdir) {
  await build({ ...common, entryPoints: ["src/global.ts"], format: "iife", outfile: `${outdir}/clank.js` });
  await build({ ...common, entryPoints: ["src/index.ts"], format: "esm", outfile: `${outdir}/clank.mjs` });
  const tsc = fileURLToPath(new URL("../node_modules/.bin/tsc", import.meta.url));
  execFileSync(tsc, ["-p", "tsconfig.declarations.json", "--outDir", outdir], { cwd: root, stdio: "inherit" });
}
