// npm run check: the committed dist is what the sources build, and each bundle is small enough.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bundle, root } from "./bundle.mjs";

const LIMIT = 8 * 1024; // bytes, gzipped
const dist = join(root, "dist");
const fresh = mkdtempSync(join(tmpdir(), "clank-client-"));
const faults = [];
try {
  await bundle(fresh);
  for (const name of new Set([...readdirSync(dist), ...readdirSync(fresh)])) {
    if (read(dist, name) !== read(fresh, name)) faults.push(`dist/${name} is not what the sources build: run npm run build`);
  }
  for (const name of ["clank.js", "clank.mjs"]) {
    const size = gzipSync(readFileSync(join(fresh, name)), { level: 9 }).length;
    console.log(`${name}: ${size} bytes gzipped, of ${LIMIT}`);
    if (size >= LIMIT) faults.push(`${name} is too big`);
  }
} finally {
  rmSync(fresh, { recursive: true });
}
for (const fault of faults) console.error(fault);
process.exitCode = faults.length ? 1 : 0;

function read(folder, name) {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch {
    return undefined;
  }
}
