# Two stages: the image that runs holds the program and its production dependencies, nothing else.
ARG BASE_IMAGE=node:22-bookworm-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /src
ENV CI=true
COPY package.json ./
RUN npm install --global "$(node -p "require('./package.json').packageManager")"
# Packages are fetched by the lockfile alone: a change of the sources does not fetch them again.
COPY pnpm-lock.yaml pnpm-workspace.yaml .npmrc ./
COPY patches patches
RUN pnpm fetch
COPY . .
RUN pnpm install --frozen-lockfile --offline
RUN pnpm --filter-prod=ws-gateway... run build
# Injected packages are copies, and the lockfile decides their dependencies. The other way, `--legacy`, would resolve
# them anew and take the pinned Node of the workspace along (129 MB), which is for machines without one.
RUN pnpm --filter=ws-gateway --config.inject-workspace-packages=true deploy --prod --offline /app \
  && rm /app/pnpm-lock.yaml

FROM ${BASE_IMAGE}
# `npm run release` gives both.
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="ws-gateway" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="https://github.com/ws-gateway/ws-gateway" \
      org.opencontainers.image.description="Open gateway from Kafka to WebSockets" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
ENV NODE_ENV=production
# Owned by root: the program cannot change itself.
COPY --from=build /app ./
COPY config.yaml LICENSE ./
RUN ln -s /app/bin/ws-gateway /usr/local/bin/ws-gateway \
  && printf '{"commit":"%s"}\n' "$REVISION" > /app/build.json
# The user `node` of the base image, as a number: Kubernetes cannot tell whether a name is root.
USER 1000:1000
EXPOSE 8080 9003
# Asks the main process of the container, wherever that listens.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["ws-gateway", "health"]
# The launcher ends in exec, so SIGTERM reaches the program itself.
ENTRYPOINT ["ws-gateway"]
CMD ["serve", "-c", "/app/config.yaml"]
