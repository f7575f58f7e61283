# The worker of one GPU. CUDA's libraries come with the set-up; of the host it takes the driver alone, which the NVIDIA
# container toolkit brings in.
#   docker build --file deploy/gpu-worker.Dockerfile --tag dataengine-gpu-worker .
FROM node:20.20-bookworm-slim AS build
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates g++ make python3 python3-pip python3-venv \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
RUN node scripts/setup.mjs --gpu && chown --recursive node:node .cache && mkdir runs && chown node:node runs

FROM node:20.20-bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates tini && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app /app
# node
USER 1000:1000
ENV NODE_ENV=production NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME /app/runs
ENTRYPOINT ["tini", "--", "node", "--import", "tsx", "cli/main.ts", "worker"]
CMD ["gpu", "--log-format", "json", "--health-host", "0.0.0.0", "--health-port", "8080", "--metrics-address", "0.0.0.0:9464"]
