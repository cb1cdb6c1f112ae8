// npm run build: writes dist, which is committed, because the server embeds it where there is no Node.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { bundle, root } from "./bundle.mjs";

rmSync(join(root, "dist"), { recursive: true, force: true });
await bundle(join(root, "dist"));
