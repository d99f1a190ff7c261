// Floor: a Worker that only passes the request on. No key is checked and nothing is counted.
export default {
  fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM + pathname + search, request));
  },
};
