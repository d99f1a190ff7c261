// Floor: a Worker that passes the request on and has a look at each chunk of a stream, which is the least that metering takes.
export default {
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const response = await fetch(new Request(env.UPSTREAM + pathname + search, request));
    const reader = response.body.getReader();
    const body = new ReadableStream(
      {
        async pull(client) {
          const { done, value } = await reader.read();
          if (done) client.close();
          else client.enqueue(value);
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, response);
  },
};
