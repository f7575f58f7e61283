# The worker of one GPU. CUDA's libraries come with the set-up; of the host it takes the driver alone, which the NVIDIA
# container toolkit brings in.
#   docker build --build-arg NODE_DIGEST=sha256:… --file deploy/gpu-worker.Dockerfile --tag dataengine-gpu-worker .
ARG NODE_DIGEST
FROM node:20.20-bookworm-slim@${NODE_DIGEST} AS build
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates g++ make python3 python3-pip python3-venv \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
# The trainer is bundled here, into build/, for nobody writes into /app later.
RUN node scripts/setup.mjs --gpu \
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
ENV NODE_ENV=production HOME=/cache DATAENGINE_IMAGE_CACHE=/cache/image-features NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME ["/app/runs", "/cache"]
ENTRYPOINT ["tini", "--", "node", "--import", "tsx", "cli/main.ts", "worker"]
CMD ["gpu", "--log-format", "json", "--health-host", "0.0.0.0", "--health-port", "8080", "--metrics-address", "0.0.0.0:9464"]
