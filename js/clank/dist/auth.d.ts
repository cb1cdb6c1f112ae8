import type { Dict } from "./messages2.js";
/** Answers a challenge of WAMP v2: with a signature, or with one and more for AUTHENTICATE. */
export type OnChallenge = (method: string, extra: Dict) => Answer | Promise<Answer>;
type Answer = string | {
    signature: string;
    extra?: Dict;
};
/**
 * Answers a challenge of WAMP-CRA. `crypto.subtle` is there on pages from `https:` or localhost alone.
 *
 * @param secret the secret, or, where the challenge has a salt, the password
 * @param extra what came with the challenge
 */
export declare function cra(secret: string, extra: Dict): Promise<string>;
/**
 * Answers a challenge of cryptosign. The public key, in hexadecimal digits, goes into the setting
 * `authextra`, as `pubkey`.
 *
 * @param key a private key of Ed25519, as `crypto.subtle` has it
 */
export declare function cryptosign(key: CryptoKey, extra: Dict): Promise<string>;
export {};
