import { CallError } from "./calls.js";
import { Clank as client } from "./index.js";
declare global {
    /** The client, as the script `clank.js` defines it. */
    var Clank: typeof client & {
        CallError: typeof CallError;
    };
}
