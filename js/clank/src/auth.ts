import type { Dict } from "./messages2.js";

/** Answers a challenge of WAMP v2: with a signature, or with one and more for AUTHENTICATE. */
export type OnChallenge = (method: string, extra: Dict) => Answer | Promise<Answer>;
type Answer = string | { signature: string; extra?: Dict };

const utf8 = (text: string) => new TextEncoder().encode(text);
const base64 = (bytes: ArrayBuffer) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Answers a challenge of WAMP-CRA. `crypto.subtle` is there on pages from `https:` or localhost alone.
 *
 * @param secret the secret, or, where the challenge has a salt, the password
 * @param extra what came with the challenge
 */
export async function cra(secret: string, extra: Dict): Promise<string> {
  const { subtle } = crypto;
  let key: string = secret;
  if (extra["salt"] !== undefined) {
    const { salt, iterations = 1_000, keylen = 32 } = extra;
    const password = await subtle.importKey("raw", utf8(secret), "PBKDF2", false, ["deriveBits"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt: utf8(salt), iterations };
    key = base64(await subtle.deriveBits(how, password, keylen * 8));
  }
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const signing = await subtle.importKey("raw", utf8(key), hmac, false, ["sign"]);
  return base64(await subtle.sign("HMAC", signing, utf8(extra["challenge"])));
}

/**
 * Answers a challenge of cryptosign. The public key, in hexadecimal digits, goes into the setting
 * `authextra`, as `pubkey`.
 *
 * @param key a private key of Ed25519, as `crypto.subtle` has it
 */
export async function cryptosign(key: CryptoKey, extra: Dict): Promise<string> {
  const challenge = Uint8Array.from(extra["challenge"].match(/../g), (byte: string) => parseInt(byte, 16));
  return hex(new Uint8Array(await crypto.subtle.sign("Ed25519", key, challenge))) + hex(challenge);
}
