# syntax=docker/dockerfile:1

# The whole build tree: TypeScript and, where no prebuilt better-sqlite3 can be fetched, a compiler.
FROM node:20-bookworm-slim AS build
WORKDIR /app
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends g++ make python3 \
  && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production \
  VOICESTREAM_HOST=0.0.0.0 \
  VOICESTREAM_PORT=8000 \
  VOICESTREAM_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A new volume takes over the owner and the mode of the folder that it is mounted on.
RUN install -d -o 10001 -g 10001 -m 0700 /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# With TLS the name in the certificate is not 127.0.0.1, and nobody stands between the two.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "--no-warnings", "-e", "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; const scheme = process.env.VOICESTREAM_TLS_CERT_FILE ? 'https' : 'http'; fetch(`${scheme}://127.0.0.1:${process.env.VOICESTREAM_PORT}/health/ready`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--disable-proto=delete", "dist/main.js"]
