// Sends clients from old addresses to new ones. The configuration has a line for each old path:
//
//     "/old" = "https://www.example.com/new"
//
// The query goes along. Other paths get 404.
import { get } from "wasi:config/store@0.2.0-rc.1";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname, search } = new URL(request.url);
  const target = get(pathname);
  if (!target) return new Response("not found\n", { status: 404 });
  return new Response(null, { status: 301, headers: { location: target + search } });
}
