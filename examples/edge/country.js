// Forwards each request to the upstream of the client's country. The network in front of the host
// writes the country into the header `x-country`. The configuration has the upstreams:
//
//     upstream = "https://www.example.com"
//     upstream-de = "https://de.example.com"
import { get } from "wasi:config/store@0.2.0-rc.1";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const country = (request.headers.get("x-country") ?? "").toLowerCase();
  // The header comes from outside: it must not name another key of the configuration.
  const own = /^[a-z]{2}$/.test(country) ? get(`upstream-${country}`) : undefined;
  const upstream = own ?? get("upstream");
  if (!upstream) return new Response("no upstream is configured\n", { status: 502 });
  const { pathname, search } = new URL(request.url);
  const found = await fetch(upstream + pathname + search);
  const headers = new Headers({ "x-upstream-of": own ? country : "all" });
  headers.set("content-type", found.headers.get("content-type") ?? "application/octet-stream");
  return new Response(await found.text(), { status: found.status, headers });
}
