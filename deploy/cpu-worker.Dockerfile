# The CPU worker: workflows, and the steps that need no GPU.
#   docker build --build-arg NODE_DIGEST=sha256:… --file deploy/cpu-worker.Dockerfile --tag dataengine-cpu-worker .
# Both stages have the same system, for the addon of the first is loaded in the second.
ARG NODE_DIGEST
FROM node:20.20-bookworm-slim@${NODE_DIGEST} AS build
# What the set-up compiles with; hashes of all downloads are in scripts/setup/.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates g++ make python3 python3-pip python3-venv \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
# The trainer is bundled here, into build/, for nobody writes into /app later.
RUN node scripts/setup.mjs && npm run bundle \
  && node src/trainer/supervisor/bundle.mjs src/trainer/main.ts \
  && mkdir runs

FROM node:20.20-bookworm-slim@${NODE_DIGEST}
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates tini && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app /app
# The program is root's. What the worker writes goes to volumes and /tmp; the root file system may be read-only.
RUN mkdir /cache && chown node:node /cache /app/runs
# node
USER 1000:1000
ENV NODE_ENV=production HOME=/cache DATAENGINE_IMAGE_CACHE=/cache/image-features
VOLUME ["/app/runs", "/cache"]
# SIGTERM must reach the worker, which then lets its activities stop in order.
ENTRYPOINT ["tini", "--", "node", "--import", "tsx", "cli/main.ts", "worker"]
CMD ["cpu", "--workflow-bundle", "build/workflow-bundle.js", "--log-format", "json", "--health-host", "0.0.0.0", "--health-port", "8080", "--metrics-address", "0.0.0.0:9464"]
