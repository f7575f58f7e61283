# The CPU worker: workflows, and the steps that need no GPU.
#   docker build --file deploy/cpu-worker.Dockerfile --tag dataengine-cpu-worker .
# Both stages have the same system, for the addon of the first is loaded in the second.
FROM node:20.20-bookworm-slim AS build
# What the set-up compiles with; hashes of all downloads are in scripts/setup/.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates g++ make python3 python3-pip python3-venv \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
RUN node scripts/setup.mjs && npm run bundle && chown --recursive node:node .cache && mkdir runs && chown node:node runs

FROM node:20.20-bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates tini && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app /app
# node
USER 1000:1000
ENV NODE_ENV=production
VOLUME /app/runs
# SIGTERM must reach the worker, which then lets its activities stop in order.
ENTRYPOINT ["tini", "--", "node", "--import", "tsx", "cli/main.ts", "worker"]
CMD ["cpu", "--workflow-bundle", ".cache/workflow-bundle.js", "--log-format", "json", "--health-host", "0.0.0.0", "--health-port", "8080", "--metrics-address", "0.0.0.0:9464"]
