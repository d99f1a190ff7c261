# The project's commands; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup build dev serve test check e2e bench soak fuzz dry-run clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## get the tools: wasm32 target, worker-build, wasm-bindgen, npm packages (first time: some minutes)
	@scripts/setup.sh

build: ## build the Worker into build/
	@scripts/build.sh

dev: build ## a gateway with a demo tenant, a key and a scripted provider; prints a curl line to paste
	@scripts/with-node.sh scripts/dev.mjs

serve: build ## the gateway on workerd, quiet, fit to load-test (PORT, STATE, ADMIN_TOKEN, API_KEYS_SECRET)
	@scripts/with-node.sh scripts/serve.mjs

test: ## everything: check, unit tests, build, end-to-end tests
	@scripts/test.sh

check: setup ## formatting, lints and docs, natively and for wasm32
	@scripts/check.sh

e2e: build ## end-to-end tests only: the built Worker in workerd, and the official SDKs
	@scripts/e2e.sh

bench: build ## what a request costs, next to the floors
	@scripts/with-node.sh bench/run.mjs

soak: build ## all edges mixed in for MINUTES (30) at CONNECTIONS (16): each bill is exact or bounded, nothing leaks
	@scripts/with-node.sh bench/soak.mjs --minutes $(or $(MINUTES),30) --connections $(or $(CONNECTIONS),16)

fuzz: ## any bytes at every reader of a wire format for MINUTES (10) each (TARGETS: only these)
	@MINUTES=$(or $(MINUTES),10) scripts/fuzz.sh $(TARGETS)

dry-run: ## wrangler deploy --dry-run for development, staging and production
	@scripts/dry-run.sh

clean: ## remove what was built (keeps tools, .state and .dev.vars)
	rm -rf build target .wrangler
