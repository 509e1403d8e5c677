// Answers every request with JSON about it. A path that begins with /fail throws an exception.
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname, search } = new URL(request.url);
  if (pathname.startsWith("/fail")) throw new Error(pathname);
  const body = await request.text();
  const squares = Array.from({ length: pathname.length + 20 }, (_, number) => number * number);
  const found = [...body.matchAll(/(\w)(\w+)/g)].map((match) => match[2] + match[1]);
  return new Response(JSON.stringify({ path: pathname + search, squares, found }), {
    status: body.length < 1000 ? 200 : 202,
    headers: { "content-type": "application/json" },
  });
}
