"""Makes the tiny model in the folder of its argument and serves it by llama.cpp's own HTTP server on any free port, whose address it
prints. It ends with its standard input, so with the test, however that ends."""

import sys
from pathlib import Path

import xllamacpp
from tiny_model import write

model = Path(sys.argv[1], 'tiny.gguf')
write(model)

params = xllamacpp.CommonParams()
params.model.path = str(model)
params.port = 0
params.n_parallel = 2
params.n_ctx = 2 * 2048  # of each slot 2048
params.ctx_shift = True  # so that a stream goes on for ever
params.use_jinja = True  # so that the template's tools are known
params.embedding = True
params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
params.endpoint_metrics = True
params.cpuparams.n_threads = 1
params.sampling.seed = 1
params.verbosity = 2  # faults and warnings
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
