// An API that pages of other origins may use, if the configuration lists their origin:
//
//     origins = "https://shop.example https://www.shop.example"
//
// It answers preflight requests itself, and lets a browser read its answers.
import { get } from "wasi:config/store@0.2.0-rc.1";

const METHODS = "GET, POST";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  // Caches must not give the answer for one origin to another.
  const headers = new Headers({ vary: "origin" });
  const origin = request.headers.get("origin");
  const isAllowed = origin !== null && (get("origins") ?? "").split(" ").includes(origin);
  if (isAllowed) headers.set("access-control-allow-origin", origin);
  if (request.method === "OPTIONS") {
    if (!isAllowed) return new Response(null, { status: 403, headers });
    headers.set("access-control-allow-methods", METHODS);
    headers.set("access-control-allow-headers", "content-type");
    headers.set("access-control-max-age", "600");
    return new Response(null, { status: 204, headers });
  }
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify({ method: request.method }), { headers });
}
