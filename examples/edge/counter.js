// Counts the visits of each path in a key-value store, which the host connects: memory, or Redis.
// GET counts and returns the number, DELETE sets the path's number to zero.
import { open } from "wasi:keyvalue/store@0.2.0-draft";
import { increment } from "wasi:keyvalue/atomics@0.2.0-draft";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname } = new URL(request.url);
  const key = `visits:${pathname}`;
  try {
    const bucket = open("default");
    if (request.method === "DELETE") {
      bucket.delete(key);
      return new Response(null, { status: 204 });
    }
    const visits = increment(bucket, key, 1n);
    return Response.json({ path: pathname, visits: Number(visits) });
  } catch (error) {
    // The store is not there now: a client can try again.
    const headers = { "retry-after": "1" };
    const reason = JSON.stringify(error.payload ?? String(error));
    return new Response(`the key-value store failed: ${reason}\n`, { status: 503, headers });
  }
}
