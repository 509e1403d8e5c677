// Checks a signed token before it asks the upstream. The token is a JSON Web Token with HS256 (RFC
// 7519, RFC 7515): `authorization: Bearer HEADER.CLAIMS.SIGNATURE`. The configuration has:
//
//     secret = "the key of the signatures"
//     upstream = "https://accounts.example.com"
//
// The upstream gets the token's subject as `x-subject`, and never sees a request without a token.
import { get } from "wasi:config/store@0.2.0-rc.1";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const [scheme, token] = (request.headers.get("authorization") ?? "").split(" ");
  const claims = scheme === "Bearer" && token ? await verified(token) : null;
  if (claims === null) {
    const headers = { "www-authenticate": 'Bearer error="invalid_token"' };
    return new Response("a valid token is needed\n", { status: 401, headers });
  }
  const { pathname, search } = new URL(request.url);
  const headers = { "x-subject": String(claims.sub) };
  const found = await fetch(get("upstream") + pathname + search, { headers });
  return new Response(await found.text(), { status: found.status });
}

// The claims of a token, or null if its signature is wrong or it has expired.
async function verified(token) {
  const parts = token.split(".");
  if (parts.length !== 3) return null;
  try {
    // The token must not choose how it is checked.
    if (JSON.parse(text(parts[0])).alg !== "HS256") return null;
    const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
    if (!(await crypto.subtle.verify("HMAC", await key(), bytes(parts[2]), signed))) return null;
    const claims = JSON.parse(text(parts[1]));
    return typeof claims.exp === "number" && claims.exp > Date.now() / 1000 ? claims : null;
  } catch {
    // It is not base64 or not JSON.
    return null;
  }
}

function key() {
  const secret = get("secret");
  if (!secret) throw new Error("no secret is configured");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, ["verify"]);
}

// Decodes base64url (RFC 4648, section 5).
function bytes(part) {
  const decoded = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(decoded, (character) => character.charCodeAt(0));
}

function text(part) {
  return new TextDecoder().decode(bytes(part));
}
