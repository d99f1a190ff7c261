// Floor: a Worker that does nothing. What the runtime itself costs.
export default {
  fetch: () => new Response('ok'),
};
